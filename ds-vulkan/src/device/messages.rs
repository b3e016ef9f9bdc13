//! What the validation layer says.

use core::ffi::{CStr, c_void};
use std::sync::{Arc, Mutex, MutexGuard};

use ash::vk;

use crate::error::CallError;

/// What the validation layer has said so far: see [`DeviceOptions::validation`](crate::DeviceOptions::validation). Outlives the
/// device, so that what is said about its end can be read as well.
#[derive(Clone, Debug, Default)]
pub struct Messages(Arc<Mutex<Vec<String>>>);

impl Messages {
    /// All of them, oldest first.
    #[must_use]
    pub fn all(&self) -> Vec<String> {
        self.lock().clone()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.lock().is_empty()
    }

    fn lock(&self) -> MutexGuard<'_, Vec<String>> {
        ds_engine::lock(&self.0)
    }
}

/// Listens to the layer, until dropped; before the instance is.
pub(crate) struct Messenger {
    functions: ash::ext::debug_utils::Instance,
    raw: vk::DebugUtilsMessengerEXT,
    /// What the layer is given the address of.
    _messages: Box<Messages>,
}

impl Messenger {
    pub(crate) fn new(
        entry: &ash::Entry,
        instance: &ash::Instance,
        messages: &Messages,
    ) -> Result<Self, CallError> {
        let functions = ash::ext::debug_utils::Instance::new(entry, instance);
        let messages = Box::new(messages.clone());
        let user: *const Messages = &*messages;
        let create = vk::DebugUtilsMessengerCreateInfoEXT::default()
            .message_severity(
                vk::DebugUtilsMessageSeverityFlagsEXT::WARNING | vk::DebugUtilsMessageSeverityFlagsEXT::ERROR,
            )
            .message_type(
                vk::DebugUtilsMessageTypeFlagsEXT::VALIDATION
                    | vk::DebugUtilsMessageTypeFlagsEXT::PERFORMANCE,
            )
            .pfn_user_callback(Some(hear))
            .user_data(user.cast_mut().cast());
        // SAFETY: the instance has the extension, and the address stays good until the messenger is destroyed.
        let raw = unsafe { functions.create_debug_utils_messenger(&create, None) };
        let raw = raw.map_err(CallError::of("listening to the validation layer"))?;
        Ok(Self { functions, raw, _messages: messages })
    }
}

impl Drop for Messenger {
    fn drop(&mut self) {
        // SAFETY: made by this instance, which is alive, and destroyed once.
        unsafe { self.functions.destroy_debug_utils_messenger(self.raw, None) };
    }
}

/// # Safety
/// `data` is the layer's, for the time of the call; `user` is the address given when the messenger was made.
unsafe extern "system" fn hear(
    _severity: vk::DebugUtilsMessageSeverityFlagsEXT,
    _kind: vk::DebugUtilsMessageTypeFlagsEXT,
    data: *const vk::DebugUtilsMessengerCallbackDataEXT<'_>,
    user: *mut c_void,
) -> vk::Bool32 {
    // SAFETY: the layer gives a valid structure or nothing.
    let data = unsafe { data.as_ref() };
    // SAFETY: the messenger keeps what it points to alive.
    let messages = unsafe { user.cast::<Messages>().as_ref() };
    if let (Some(data), Some(messages)) = (data, messages)
        && !data.p_message.is_null()
    {
        // SAFETY: the layer's text ends with a zero.
        let text = unsafe { CStr::from_ptr(data.p_message) }.to_string_lossy().into_owned();
        log::warn!("Vulkan validation: {text}");
        messages.lock().push(text);
    }
    vk::FALSE
}
