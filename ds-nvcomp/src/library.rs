//! The functions of both libraries, as their headers declare them.

use core::ffi::{c_char, c_int, c_uint, c_void};
use std::ffi::OsStr;
use std::path::Path;
use std::sync::Arc;

use libloading::Library;

use crate::Error;
use crate::device::{Device, DeviceInfo};

/// The driver's library.
const CUDA: &str = "libcuda.so.1";
/// nvCOMP's.
const NVCOMP: &str = "libnvcomp.so.6";
/// The version whose interface is declared here.
const MAJOR: u32 = 6;

/// An address on the device.
pub(crate) type DevicePointer = u64;
/// A context, an event or a stream.
pub(crate) type Handle = *mut c_void;

/// What nvCOMP takes by value: the backend, and 60 bytes that are 0.
#[derive(Clone, Copy)]
#[repr(C)]
pub(crate) struct Options {
    pub(crate) backend: c_int,
    pub(crate) reserved: [u8; 60],
}

impl Options {
    /// What nvCOMP chooses: its decompression engine where the device has one, else its kernels.
    pub(crate) const DEFAULT: Self = Self { backend: 0, reserved: [0; 60] };
}

const _: () = assert!(size_of::<Options>() == 64 && align_of::<Options>() == 4, "as in the header");

/// What nvCOMP wants addresses to be multiples of.
#[derive(Clone, Copy, Debug, Default)]
#[repr(C)]
pub(crate) struct Alignments {
    pub(crate) input: usize,
    pub(crate) output: usize,
    pub(crate) temporary: usize,
}

/// Versions of nvCOMP, and of what it was built with.
#[derive(Clone, Copy, Debug, Default)]
#[repr(C)]
pub(crate) struct Properties {
    version: u32,
    cuda: u32,
}

/// Declares a library's functions, and how they are found.
macro_rules! functions {
    ($name:ident { $($field:ident: $symbol:literal = fn($($argument:ty),*) -> $result:ty;)* }) => {
        pub(crate) struct $name {
            $(pub(crate) $field: unsafe extern "C" fn($($argument),*) -> $result,)*
            /// What they are in.
            _library: Library,
        }

        impl $name {
            fn load(name: &OsStr) -> Result<Self, Error> {
                let refused = |why: libloading::Error| {
                    let (name, why) = (name.to_string_lossy().into_owned(), why.to_string());
                    // The loader repeats the name.
                    let why = why.strip_prefix(&format!("{name}: ")).unwrap_or(&why).to_owned();
                    Error::Library { name, why }
                };
                // SAFETY: its initialisers run, as in any program that uses it: whoever names a library trusts it.
                let library = unsafe { Library::new(name) }.map_err(refused)?;
                Ok(Self {
                    // SAFETY: the type is that of the header's declaration; the library stays as long as what is found in it.
                    $($field: *unsafe { library.get(concat!($symbol, "\0").as_bytes()) }.map_err(refused)?,)*
                    _library: library,
                })
            }
        }
    };
}

functions! { Cuda {
    init: "cuInit" = fn(c_uint) -> c_uint;
    driver_version: "cuDriverGetVersion" = fn(*mut c_int) -> c_uint;
    device_count: "cuDeviceGetCount" = fn(*mut c_int) -> c_uint;
    device: "cuDeviceGet" = fn(*mut c_int, c_int) -> c_uint;
    device_name: "cuDeviceGetName" = fn(*mut c_char, c_int, c_int) -> c_uint;
    device_uuid: "cuDeviceGetUuid" = fn(*mut [u8; 16], c_int) -> c_uint;
    context_retain: "cuDevicePrimaryCtxRetain" = fn(*mut Handle, c_int) -> c_uint;
    context_release: "cuDevicePrimaryCtxRelease_v2" = fn(c_int) -> c_uint;
    context_use: "cuCtxSetCurrent" = fn(Handle) -> c_uint;
    allocate: "cuMemAlloc_v2" = fn(*mut DevicePointer, usize) -> c_uint;
    free: "cuMemFree_v2" = fn(DevicePointer) -> c_uint;
    to_device: "cuMemcpyHtoD_v2" = fn(DevicePointer, *const c_void, usize) -> c_uint;
    to_host: "cuMemcpyDtoH_v2" = fn(*mut c_void, DevicePointer, usize) -> c_uint;
    fill: "cuMemsetD8_v2" = fn(DevicePointer, u8, usize) -> c_uint;
    event_new: "cuEventCreate" = fn(*mut Handle, c_uint) -> c_uint;
    event_free: "cuEventDestroy_v2" = fn(Handle) -> c_uint;
    event_record: "cuEventRecord" = fn(Handle, Handle) -> c_uint;
    event_wait: "cuEventSynchronize" = fn(Handle) -> c_uint;
    event_elapsed: "cuEventElapsedTime" = fn(*mut f32, Handle, Handle) -> c_uint;
} }

functions! { Functions {
    properties: "nvcompGetProperties" = fn(*mut Properties) -> c_uint;
    alignments: "nvcompBatchedGdeflateDecompressGetRequiredAlignments" = fn(Options, *mut Alignments) -> c_uint;
    temporary_size: "nvcompBatchedGdeflateDecompressGetTempSize" =
        fn(usize, usize, Options, *mut usize, usize, Handle) -> c_uint;
    decompress: "nvcompBatchedGdeflateDecompressAsync" =
        fn(DevicePointer, DevicePointer, DevicePointer, DevicePointer, usize, DevicePointer, usize, DevicePointer, Options, DevicePointer, Handle) -> c_uint;
} }

impl Functions {
    fn versions(&self) -> Result<Properties, Error> {
        let mut properties = Properties::default();
        // SAFETY: it is written where it may be.
        match unsafe { (self.properties)(&raw mut properties) } {
            0 => Ok(properties),
            code => Err(Error::Nvcomp { what: "nvcompGetProperties".to_owned(), code }),
        }
    }
}

/// Both libraries, open.
#[derive(Clone)]
pub struct Nvcomp {
    pub(crate) cuda: Arc<Cuda>,
    pub(crate) functions: Arc<Functions>,
}

impl Nvcomp {
    /// Opens the driver and nvCOMP: that file, or the one that the system's loader finds.
    ///
    /// # Errors
    /// [`Error::Library`]: one of them is not there, or is another version. [`Error::Cuda`]: the driver does not start.
    pub fn open(file: Option<&Path>) -> Result<Self, Error> {
        Self::open_with(OsStr::new(CUDA), file)
    }

    /// The same with another driver's library.
    fn open_with(driver: &OsStr, file: Option<&Path>) -> Result<Self, Error> {
        // A name without a folder would have the loader look in its own.
        let file = file.map(|file| std::path::absolute(file).unwrap_or_else(|_| file.to_owned()));
        let name = file.as_ref().map_or_else(|| OsStr::new(NVCOMP), |file| file.as_os_str());
        let functions = Functions::load(name)?;
        let version = functions.versions()?.version;
        if version / 1000 != MAJOR {
            let why = format!("version {}, and only version {MAJOR} is known here", three(version));
            return Err(Error::Library { name: name.to_string_lossy().into_owned(), why });
        }
        let cuda = Cuda::load(driver)?;
        // SAFETY: the function takes flags, of which there are none.
        check("cuInit", unsafe { (cuda.init)(0) })?;
        Ok(Self { cuda: Arc::new(cuda), functions: Arc::new(functions) })
    }

    /// nvCOMP's version and that of CUDA it was built with, as in `6.0.0 (CUDA 13.0)`; what it says of itself if that is unknown.
    #[must_use]
    pub fn version(&self) -> String {
        match self.functions.versions() {
            Ok(Properties { version, cuda }) => {
                format!("{} (CUDA {}.{})", three(version), cuda / 1000, cuda % 1000 / 10)
            }
            Err(error) => error.to_string(),
        }
    }

    /// The version of CUDA that the driver offers, as in `13.0`.
    #[must_use]
    pub fn driver_version(&self) -> String {
        let mut version = 0;
        // SAFETY: it is written where it may be.
        match unsafe { (self.cuda.driver_version)(&raw mut version) } {
            0 => format!("{}.{}", version / 1000, version % 1000 / 10),
            code => format!("unknown (error {code})"),
        }
    }

    /// The first device that is meant.
    ///
    /// # Errors
    /// [`Error::NoDevice`], or a call that failed.
    pub fn device(&self, meant: impl Fn(&DeviceInfo) -> bool) -> Result<Device, Error> {
        let mut found = Vec::new();
        for info in DeviceInfo::list(&self.cuda)? {
            if meant(&info) {
                return Device::new(self, info);
            }
            found.push(info.name);
        }
        Err(Error::NoDevice { found })
    }
}

/// 6000 is 6.0.0.
fn three(version: u32) -> String {
    format!("{}.{}.{}", version / 1000, version % 1000 / 100, version % 100)
}

/// An error unless it is 0.
pub(crate) fn check(what: &'static str, code: c_uint) -> Result<(), Error> {
    if code == 0 { Ok(()) } else { Err(Error::Cuda { what, code }) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Tile;
    use ds_gdeflate::{CodecId, Level, TileStream, compress};

    /// The example of that name, which Cargo builds beside the tests, or lies where `DS_EXAMPLES` says.
    fn fake() -> Nvcomp {
        let beside = || std::env::current_exe().unwrap().ancestors().nth(2).unwrap().join("examples");
        let folder = std::env::var_os("DS_EXAMPLES").map_or_else(beside, Into::into);
        let file = folder.join("libfake_nvcomp.so");
        assert!(
            file.exists(),
            "where tests are named one by one, Cargo builds no examples: `cargo build --examples` does"
        );
        Nvcomp::open_with(file.as_os_str(), Some(&file)).unwrap()
    }

    /// A stream's payloads, at multiples of 16, and its tiles.
    fn tiles(content: &[u8]) -> (Vec<u8>, Vec<Tile>) {
        let stream = compress(content, Level::FASTEST, CodecId::Reference).unwrap();
        let (mut packed, mut tiles, mut at) = (Vec::new(), Vec::new(), 0);
        for tile in TileStream::parse(&stream).unwrap().tiles() {
            let payload = packed.len()..packed.len() + tile.payload().len();
            packed.extend_from_slice(tile.payload());
            packed.resize(packed.len().next_multiple_of(16), 0);
            tiles.push(Tile { payload, content: at..at + tile.uncompressed_size() });
            at += tile.uncompressed_size();
        }
        (packed, tiles)
    }

    #[test]
    fn versions_are_read_as_people_write_them() {
        let nvcomp = fake();
        assert_eq!((nvcomp.version(), nvcomp.driver_version()), ("6.0.0 (CUDA 13.0)".into(), "13.0".into()));
        assert_eq!(three(5_102), "5.1.2");
    }

    #[test]
    fn tiles_go_through_and_come_back() {
        let content: Vec<u8> = (0..150_000_u32).map(|i| (i.wrapping_mul(i) >> 9) as u8).collect();
        let (packed, tiles) = tiles(&content);
        let device = fake().device(|_| true).unwrap();
        assert_eq!(device.info().name, "a device that is none");
        let mut decode = device.decode(&packed, content.len() + 8, &tiles).unwrap();
        decode.poison(0xA5).unwrap();
        let timing = decode.run().unwrap();
        assert!(timing.device <= timing.wall);
        assert_eq!(decode.verdict(), Ok(()));
        let mut got = vec![0; content.len() + 8];
        decode.read(0, &mut got).unwrap();
        assert!(got[..content.len()] == content && got[content.len()..] == [0xA5; 8]);
    }

    #[test]
    fn what_cannot_be_is_refused() {
        let (nvcomp, (packed, mut tiles)) = (fake(), tiles(&[7; 100_000]));
        let refused = nvcomp.device(|_| false).err();
        assert_eq!(refused, Some(Error::NoDevice { found: vec!["a device that is none".into()] }));
        let device = nvcomp.device(|_| true).unwrap();
        assert_eq!(device.decode(&packed, 99_999, &tiles).err(), Some(Error::Tile { tile: 1 }));
        tiles[1].payload.end = tiles[1].payload.start;
        let mut decode = device.decode(&packed, 100_000, &tiles).unwrap();
        decode.run().unwrap();
        assert_eq!(decode.verdict(), Err(Error::Nvcomp { what: "tile 1".into(), code: 12 }));
        tiles[0].payload = 2..4;
        assert_eq!(device.decode(&packed, 100_000, &tiles).err(), Some(Error::Tile { tile: 0 }));
    }

    #[test]
    fn a_library_that_is_not_there_is_named() {
        match Nvcomp::open(Some(Path::new("/nowhere/libnvcomp.so.6"))) {
            Err(Error::Library { name, .. }) => assert_eq!(name, "/nowhere/libnvcomp.so.6"),
            _ => panic!("nothing can be opened there"),
        }
    }
}
