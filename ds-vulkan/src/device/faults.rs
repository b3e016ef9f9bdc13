//! For this project's own tests: a device some of whose functions fail, as a driver's do.
//!
//! The functions are substituted between us and the driver, the validation layer included: it sees what really happens. What a device
//! that is lost has taken on ends, as Vulkan promises, before a wait for it does.

use core::ffi::{CStr, c_char};
use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use ash::vk;
use ds_engine::lock;

use super::Parts;

/// A function that can be made to fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Call {
    /// `vkQueueSubmit2`: the driver takes nothing.
    Submit,
    /// The same, but the driver takes what it says it has failed with, as one may that finds its device lost.
    SubmitTaken,
    /// `vkWaitSemaphores`: what is waited for is over all the same.
    Wait,
    /// `vkAllocateMemory`.
    Allocate,
}

/// What fails, and when.
#[derive(Clone)]
pub struct Faults(Arc<State>);

struct State {
    rule: Mutex<Rule>,
    proc_addr: vk::PFN_vkGetDeviceProcAddr,
    submit: vk::PFN_vkQueueSubmit2,
    wait: vk::PFN_vkWaitSemaphores,
    allocate: vk::PFN_vkAllocateMemory,
    wait_idle: vk::PFN_vkDeviceWaitIdle,
}

#[derive(Default)]
struct Rule {
    /// Which one, how many go well before, and what the next one says.
    next: Option<(Call, u64, vk::Result)>,
    failed: u64,
    lost: bool,
}

/// A function of whatever type.
type Any = unsafe extern "system" fn();

/// Whose functions fail: by device and by queue. A handle that is used again stands for the newer one.
static FAULTY: Mutex<Option<HashMap<u64, Faults>>> = Mutex::new(None);

fn find(handle: impl vk::Handle) -> Faults {
    let found = lock(&FAULTY).as_ref().and_then(|all| all.get(&handle.as_raw()).cloned());
    found.expect("a device that was armed")
}

impl Faults {
    /// Has the call after `well` further ones say `result`, once; `ERROR_DEVICE_LOST` is what all say from then on that may.
    pub fn fail(&self, call: Call, well: u64, result: vk::Result) {
        lock(&self.0.rule).next = Some((call, well, result));
    }

    /// How many calls have failed.
    #[must_use]
    pub fn failed(&self) -> u64 {
        lock(&self.0.rule).failed
    }

    /// Substitutes a device's functions.
    pub(super) fn arm(parts: &mut Parts) -> Self {
        let (device, raw) = (parts.raw.handle(), &parts.raw);
        let proc_addr = parts.instance.fp_v1_0().get_device_proc_addr;
        let submit = [c"vkQueueSubmit2", c"vkQueueSubmit2KHR"].into_iter().find_map(|name| {
            // SAFETY: the device is alive, and the name ends with a zero.
            unsafe { proc_addr(device, name.as_ptr()) }
        });
        let submit = submit.expect("a device is opened with `synchronization2`");
        // SAFETY: both names are those of functions of this type.
        let submit = unsafe { core::mem::transmute::<Any, vk::PFN_vkQueueSubmit2>(submit) };
        let faults = Self(Arc::new(State {
            rule: Mutex::default(),
            proc_addr,
            submit,
            wait: raw.fp_v1_2().wait_semaphores,
            allocate: raw.fp_v1_0().allocate_memory,
            wait_idle: raw.fp_v1_0().device_wait_idle,
        }));
        let handles = parts.queues.all().map(|queue| vk::Handle::as_raw(queue.raw));
        let handles = handles.chain([vk::Handle::as_raw(device)]).map(|handle| (handle, faults.clone()));
        lock(&FAULTY).get_or_insert_default().extend(handles);
        let mut functions = parts.instance.fp_v1_0().clone();
        functions.get_device_proc_addr = find_function;
        let (handle, v11, v13) =
            (parts.instance.handle(), parts.instance.fp_v1_1().clone(), parts.instance.fp_v1_3().clone());
        parts.instance = ash::Instance::from_parts_1_3(handle, functions, v11, v13);
        // SAFETY: the device was made of this instance.
        parts.raw = unsafe { ash::Device::load(parts.instance.fp_v1_0(), device) };
        faults
    }
}

impl Rule {
    /// What this call is to say instead of what it does.
    fn next(&mut self, calls: &[Call]) -> Option<(Call, vk::Result)> {
        let result = match &mut self.next {
            _ if self.lost => Some((calls[0], vk::Result::ERROR_DEVICE_LOST)),
            Some((call, 0, result)) if calls.contains(call) => Some((*call, *result)),
            Some((call, well, _)) if calls.contains(call) => {
                *well -= 1;
                None
            }
            _ => None,
        }?;
        if !self.lost {
            self.next = None;
        }
        self.failed += 1;
        self.lost |= result.1 == vk::Result::ERROR_DEVICE_LOST;
        Some(result)
    }
}

unsafe extern "system" fn find_function(device: vk::Device, name: *const c_char) -> vk::PFN_vkVoidFunction {
    // SAFETY: the caller hands on what it was given.
    let real = unsafe { (find(device).0.proc_addr)(device, name) }?;
    // SAFETY: a name is a string that ends with a zero.
    let name = unsafe { CStr::from_ptr(name) };
    Some(match name.to_bytes() {
        b"vkQueueSubmit2" | b"vkQueueSubmit2KHR" => {
            // SAFETY: whoever asks for this name calls it as what it is.
            unsafe { core::mem::transmute::<vk::PFN_vkQueueSubmit2, Any>(submit) }
        }
        b"vkWaitSemaphores" => {
            // SAFETY: as above.
            unsafe { core::mem::transmute::<vk::PFN_vkWaitSemaphores, Any>(wait) }
        }
        b"vkAllocateMemory" => {
            // SAFETY: as above.
            unsafe { core::mem::transmute::<vk::PFN_vkAllocateMemory, Any>(allocate) }
        }
        _ => real,
    })
}

unsafe extern "system" fn submit(
    queue: vk::Queue,
    count: u32,
    submits: *const vk::SubmitInfo2<'_>,
    fence: vk::Fence,
) -> vk::Result {
    let Faults(state) = find(queue);
    // Held, so that nobody waits for the whole device meanwhile.
    let mut rule = lock(&state.rule);
    let was_lost = rule.lost;
    let next = rule.next(&[Call::Submit, Call::SubmitTaken]);
    let mut result = vk::Result::SUCCESS;
    if matches!(next, None | Some((Call::SubmitTaken, _))) && !was_lost {
        // SAFETY: the caller hands on what it was given.
        result = unsafe { (state.submit)(queue, count, submits, fence) };
    }
    next.map_or(result, |(_, said)| said)
}

unsafe extern "system" fn wait(
    device: vk::Device,
    info: *const vk::SemaphoreWaitInfo<'_>,
    timeout: u64,
) -> vk::Result {
    let Faults(state) = find(device);
    let mut rule = lock(&state.rule);
    if let Some((_, result)) = rule.next(&[Call::Wait]) {
        if result == vk::Result::ERROR_DEVICE_LOST || result == vk::Result::ERROR_UNKNOWN {
            // SAFETY: nobody submits meanwhile: that takes the lock.
            let _ = unsafe { (state.wait_idle)(device) };
        }
        return result;
    }
    drop(rule);
    // SAFETY: the caller hands on what it was given.
    unsafe { (state.wait)(device, info, timeout) }
}

unsafe extern "system" fn allocate(
    device: vk::Device,
    info: *const vk::MemoryAllocateInfo<'_>,
    callbacks: *const vk::AllocationCallbacks<'_>,
    memory: *mut vk::DeviceMemory,
) -> vk::Result {
    let Faults(state) = find(device);
    let mut rule = lock(&state.rule);
    // A device that is lost still gives memory.
    if !rule.lost
        && let Some((_, result)) = rule.next(&[Call::Allocate])
    {
        return result;
    }
    drop(rule);
    // SAFETY: the caller hands on what it was given.
    unsafe { (state.allocate)(device, info, callbacks, memory) }
}
