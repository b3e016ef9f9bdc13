//! Compiled pipelines on disk, for the next run.

use core::sync::atomic::{AtomicU64, Ordering};
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use ash::vk;

use crate::device::PipelineCache;

/// The head of what drivers call a pipeline cache: its own length, a version, vendor, device, and the driver's UUID.
const HEAD: usize = 32;
/// More than this is no cache of ours.
const MOST: u64 = 64 << 20;
/// Bytes of the checksum that follows the driver's data. Drivers need not bear anything else than what they wrote.
const CHECKSUM: usize = 8;

/// Files begun by this process so far: each has a name of its own.
static BEGUN: AtomicU64 = AtomicU64::new(0);

/// The file for one device and driver.
pub(super) struct Store {
    path: PathBuf,
    vendor: u32,
    device: u32,
    uuid: [u8; 16],
}

impl Store {
    pub(super) fn new(kept: &PipelineCache, properties: &vk::PhysicalDeviceProperties) -> Option<Self> {
        let folder = match kept {
            PipelineCache::User => user_folder(|name| std::env::var_os(name).map(PathBuf::from))?,
            PipelineCache::Folder(folder) => folder.clone(),
            PipelineCache::Off => return None,
        };
        let (vendor, device, uuid) =
            (properties.vendor_id, properties.device_id, properties.pipeline_cache_uuid);
        let name = format!("pipelines-{vendor:04x}-{device:04x}-{:032x}.bin", u128::from_be_bytes(uuid));
        Some(Self { path: folder.join(name), vendor, device, uuid })
    }

    /// What an earlier run left, if it is for this device and driver.
    pub(super) fn load(&self) -> Option<Vec<u8>> {
        let len = fs::metadata(&self.path).ok()?.len();
        let mut data = if len <= MOST { fs::read(&self.path).ok()? } else { return None };
        let checksum = data.split_off(data.len().checked_sub(CHECKSUM)?);
        (checksum == checksum_of(&data) && self.is_ours(&data)).then_some(data)
    }

    fn is_ours(&self, data: &[u8]) -> bool {
        let Some(head) = data.get(..HEAD) else { return false };
        let word = |n: usize| u32::from_le_bytes([head[n], head[n + 1], head[n + 2], head[n + 3]]);
        word(0) as usize >= HEAD
            && word(4) == vk::PipelineCacheHeaderVersion::ONE.as_raw() as u32
            && (word(8), word(12)) == (self.vendor, self.device)
            && head[16..] == self.uuid
    }

    /// Leaves this for the next run. It is no loss if it cannot.
    pub(super) fn save(&self, data: &[u8]) {
        if self.load().is_some_and(|there| there == data) {
            return;
        }
        if let Err(error) = self.write(data) {
            log::debug!("compiled pipelines are not kept in {}: {error}", self.path.display());
        }
    }

    /// By way of a file beside it, so that nobody ever reads half of one.
    fn write(&self, data: &[u8]) -> std::io::Result<()> {
        let folder = self.path.parent().unwrap_or_else(|| Path::new("."));
        fs::create_dir_all(folder)?;
        let number = BEGUN.fetch_add(1, Ordering::Relaxed);
        let beside = self.path.with_extension(format!("{}-{number}.new", std::process::id()));
        let write = |mut file: fs::File| {
            file.write_all(data)?;
            file.write_all(&checksum_of(data))
        };
        let written = fs::File::create(&beside).and_then(write);
        let moved = written.and_then(|()| fs::rename(&beside, &self.path));
        if moved.is_err() {
            let _ = fs::remove_file(&beside);
        }
        moved
    }
}

/// FNV-1a: against files that were cut short or have changed, not against whoever may write to the user's cache.
fn checksum_of(data: &[u8]) -> [u8; CHECKSUM] {
    let step = |hash: u64, &byte: &u8| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
    data.iter().fold(0xcbf2_9ce4_8422_2325, step).to_le_bytes()
}

/// The user's cache folder, as XDG has it: relative paths count for nothing.
fn user_folder(variable: impl Fn(&str) -> Option<PathBuf>) -> Option<PathBuf> {
    let absolute = |name| variable(name).filter(|path| path.is_absolute());
    let cache = absolute("XDG_CACHE_HOME").or_else(|| Some(absolute("HOME")?.join(".cache")))?;
    Some(cache.join("ds-runtime"))
}

#[cfg(test)]
mod tests {
    use core::sync::atomic::AtomicBool;

    use super::*;

    fn store(folder: &Path) -> Store {
        let properties = vk::PhysicalDeviceProperties {
            vendor_id: 0x10de,
            device_id: 0x2335,
            pipeline_cache_uuid: *b"0123456789abcdef",
            ..Default::default()
        };
        Store::new(&PipelineCache::Folder(folder.to_owned()), &properties).unwrap()
    }

    fn cache(vendor: u32) -> Vec<u8> {
        let words = [32, 1, vendor, 0x2335].map(u32::to_le_bytes).concat();
        [words.as_slice(), b"0123456789abcdef", b"compiled"].concat()
    }

    #[test]
    fn what_was_saved_is_loaded_and_what_another_driver_saved_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let store = store(&folder.path().join("deep/down"));
        assert_eq!(store.load(), None);
        store.save(&cache(0x10de));
        assert_eq!(store.load(), Some(cache(0x10de)));
        for other in
            [cache(0x1002), cache(0x10de)[..31].to_vec(), Vec::new(), b"not a cache at all".repeat(3)]
        {
            fs::write(&store.path, other).unwrap();
            assert_eq!(store.load(), None);
        }
    }

    #[test]
    fn what_was_cut_short_or_has_changed_is_not_loaded() {
        let folder = tempfile::tempdir().unwrap();
        let store = store(folder.path());
        store.save(&cache(0x10de));
        let whole = fs::read(&store.path).unwrap();
        for len in 0..whole.len() {
            fs::write(&store.path, &whole[..len]).unwrap();
            assert_eq!(store.load(), None, "{len} bytes of {}", whole.len());
        }
        for at in 0..whole.len() {
            let mut changed = whole.clone();
            changed[at] ^= 4;
            fs::write(&store.path, changed).unwrap();
            assert_eq!(store.load(), None, "byte {at}");
        }
        // It is made good the next time.
        store.save(&cache(0x10de));
        assert_eq!(store.load(), Some(cache(0x10de)));
    }

    #[test]
    fn devices_that_end_at_once_do_not_disturb_each_other() {
        let folder = tempfile::tempdir().unwrap();
        let (store, done) = (&store(folder.path()), &AtomicBool::new(false));
        let variant = |n: usize| [cache(0x10de), vec![n as u8; n * 50_000]].concat();
        store.save(&variant(0));
        std::thread::scope(|scope| {
            let save = |n| move || (0..300).for_each(|_| store.save(&variant(n)));
            let savers = [1, 2, 3].map(|n| scope.spawn(save(n)));
            let reader = scope.spawn(move || {
                while !done.load(Ordering::Relaxed) {
                    let loaded = store.load().expect("there is always one");
                    assert!((0..4).any(|n| loaded == variant(n)), "a mixture of {} bytes", loaded.len());
                }
            });
            savers.into_iter().for_each(|saver| saver.join().unwrap());
            done.store(true, Ordering::Relaxed);
            reader.join().unwrap();
        });
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "nothing else is left");
    }

    #[test]
    fn a_folder_that_cannot_be_written_harms_nobody() {
        store(Path::new("/dev/null/nowhere")).save(b"compiled");
    }

    #[test]
    fn the_users_folder_is_where_xdg_says() {
        let with = |xdg: Option<&'static str>, home: Option<&'static str>| {
            user_folder(|name| if name == "HOME" { home } else { xdg }.map(PathBuf::from))
        };
        assert_eq!(with(Some("/x"), Some("/h")), Some("/x/ds-runtime".into()));
        assert_eq!(with(Some("x"), Some("/h")), Some("/h/.cache/ds-runtime".into()));
        assert_eq!(with(None, Some("/h")), Some("/h/.cache/ds-runtime".into()));
        assert_eq!(with(None, None), None);
    }
}
