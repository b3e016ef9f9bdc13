//! Compressing and decompressing buffers on many threads, away from any queue: what `IDStorageCompressionCodec` is to
//! `DirectStorage`.

use core::num::NonZeroUsize;
use std::sync::{Mutex, PoisonError};
use std::thread;

use ds_engine::lock;
use ds_gdeflate::{
    CodecId, DecodeError, Decoder, EncodeError, EncodeOptions, Encoder, Header, TILE_SIZE, TileStream,
    stream_bound, tile_bound, write_table,
};

/// GDeflate tile streams made and read on several threads, the calling one among them.
///
/// The bytes made depend on content and options alone, not on the number of threads. Memory is kept from call to call: an
/// encoder's for each thread, 850 KiB (2.4 MiB more at levels 8 to 12), or a decoder's, 26 KiB; nothing is allocated for
/// a tile. A small buffer is worked on by the calling thread alone; other threads live as long as a call does.
///
/// ```
/// use ds_runtime::CompressionCodec;
/// use ds_runtime::gdeflate::Level;
///
/// let asset = b"so much depends upon a red wheel barrow ".repeat(10_000);
/// let mut codec = CompressionCodec::default();
/// let packed = codec.compress(&asset, Level::DEFAULT)?;
/// assert!(packed.len() < asset.len() / 50);
///
/// let mut content = vec![0; asset.len()];
/// assert_eq!(codec.decompress_into(&packed, &mut content)?, asset.len());
/// assert_eq!(content, asset);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct CompressionCodec {
    threads: NonZeroUsize,
    /// As many as were needed so far.
    workers: Vec<Worker>,
    /// What each tile came to.
    sizes: Vec<usize>,
    id: CodecId,
}

/// One thread's memory.
#[derive(Default)]
struct Worker {
    encoder: Option<Encoder>,
    decoder: Option<Box<Decoder>>,
}

impl core::fmt::Debug for Worker {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let has = (self.encoder.is_some(), self.decoder.is_some());
        f.debug_struct("Worker").field("has_encoder", &has.0).field("has_decoder", &has.1).finish()
    }
}

impl Default for CompressionCodec {
    /// As many threads as the machine runs at once.
    fn default() -> Self {
        Self::new(ds_cpu::default_workers())
    }
}

impl CompressionCodec {
    /// A codec that works on up to so many threads. Starts none, and allocates no workspace, before it is used.
    #[must_use]
    pub fn new(threads: NonZeroUsize) -> Self {
        Self { threads, workers: Vec::new(), sizes: Vec::new(), id: CodecId::default() }
    }

    /// Whose identifier streams bear from now on, [`CodecId::default`] unless told. Streams of either are decompressed.
    #[must_use]
    pub const fn id(mut self, id: CodecId) -> Self {
        self.id = id;
        self
    }

    /// The largest stream that so many bytes of content can make, in bytes: what [`compress_into`](Self::compress_into) wants room
    /// for. `None` above [`MAX_STREAM_SIZE`](ds_gdeflate::MAX_STREAM_SIZE), and where memory cannot be that large.
    #[must_use]
    pub fn bound(len: usize) -> Option<usize> {
        stream_bound(len as u64).and_then(|bound| usize::try_from(bound).ok())
    }

    /// Compresses `raw` into a stream of its own.
    ///
    /// # Errors
    /// [`EncodeError::StreamTooLarge`] above [`MAX_STREAM_SIZE`](ds_gdeflate::MAX_STREAM_SIZE) bytes of content;
    /// [`EncodeError::OutOfMemory`] if there is none for [`bound`](Self::bound) bytes or for the encoders.
    pub fn compress(
        &mut self,
        raw: &[u8],
        options: impl Into<EncodeOptions>,
    ) -> Result<Vec<u8>, EncodeError> {
        let needed = Self::bound(raw.len()).ok_or_else(|| too_large(raw))?;
        let mut stream = Vec::new();
        stream.try_reserve_exact(needed).map_err(|_| EncodeError::OutOfMemory { needed })?;
        stream.resize(needed, 0);
        let len = self.compress_into(raw, options, &mut stream)?;
        stream.truncate(len);
        Ok(stream)
    }

    /// Compresses `raw` into `out`, and returns the stream's length in bytes. What `out` holds behind it is unspecified.
    ///
    /// # Errors
    /// [`EncodeError::StreamTooLarge`] above [`MAX_STREAM_SIZE`](ds_gdeflate::MAX_STREAM_SIZE) bytes of content; [`EncodeError::OutputTooSmall`] if `out` has
    /// not [`bound`](Self::bound) bytes, which are needed even where the stream turns out shorter, for tiles are made
    /// before it is known where they go; [`EncodeError::OutOfMemory`] if there is none for the encoders.
    pub fn compress_into(
        &mut self,
        raw: &[u8],
        options: impl Into<EncodeOptions>,
        out: &mut [u8],
    ) -> Result<usize, EncodeError> {
        let (options, actual) = (options.into(), out.len());
        let needed = Self::bound(raw.len()).ok_or_else(|| too_large(raw))?;
        if actual < needed {
            return Err(EncodeError::OutputTooSmall { needed, actual });
        }
        let (id, size) = (self.id, raw.len() as u64);
        let table_end = Header::for_size(id, size).ok_or_else(|| too_large(raw))?.table_end();

        let tiles = raw.len().div_ceil(TILE_SIZE);
        self.sizes.clear();
        self.sizes.resize(tiles, 0);
        let failed = Mutex::new(None);
        let places = out[table_end..needed].chunks_mut(tile_bound(TILE_SIZE));
        let work = raw.chunks(TILE_SIZE).zip(places).zip(&mut self.sizes);
        fan_out(workers(&mut self.workers, self.threads, tiles), work, |worker, ((tile, place), size)| {
            let encoder = worker.encoder.get_or_insert_with(Encoder::new);
            match encoder.encode_tile(options, tile, place) {
                Ok(len) => *size = len,
                Err(error) => drop(lock(&failed).get_or_insert(error)),
            }
        });
        if let Some(error) = failed.into_inner().unwrap_or_else(PoisonError::into_inner) {
            return Err(error);
        }

        // Each tile lies where the largest ones before it would have ended.
        let mut end = table_end;
        for (tile, &len) in self.sizes.iter().enumerate() {
            let start = table_end + tile * tile_bound(TILE_SIZE);
            out.copy_within(start..start + len, end);
            end += len;
        }
        write_table(id, size, self.sizes.iter().copied(), out).map_err(|_| too_large(raw))?;
        Ok(end)
    }

    /// Decompresses a stream to the start of `out`, and returns the number of bytes of content. Bytes behind the stream's last
    /// tile are ignored.
    ///
    /// # Errors
    /// Any [`DecodeError`]; of several bad tiles the first is named. The contents of `out` are then unspecified; they are those it had,
    /// or come from the stream.
    pub fn decompress_into(&mut self, stream: &[u8], out: &mut [u8]) -> Result<usize, DecodeError> {
        let stream = TileStream::parse(stream).map_err(DecodeError::Stream)?;
        self.decode(&stream, out)
    }

    /// Decompresses a stream into memory of its own.
    ///
    /// # Errors
    /// Any [`DecodeError`]; [`DecodeError::OutputSize`] if there is no memory for the content.
    pub fn decompress(&mut self, stream: &[u8]) -> Result<Vec<u8>, DecodeError> {
        let stream = TileStream::parse(stream).map_err(DecodeError::Stream)?;
        let expected = stream.uncompressed_size();
        let mut content = Vec::new();
        let len = usize::try_from(expected).ok().filter(|&len| content.try_reserve_exact(len).is_ok());
        content.resize(len.ok_or(DecodeError::OutputSize { expected, actual: 0 })?, 0);
        self.decode(&stream, &mut content)?;
        Ok(content)
    }

    fn decode(&mut self, stream: &TileStream<'_>, out: &mut [u8]) -> Result<usize, DecodeError> {
        let expected = stream.uncompressed_size();
        let len = usize::try_from(expected).unwrap_or(usize::MAX);
        let Some(out) = out.get_mut(..len) else {
            return Err(DecodeError::OutputSize { expected, actual: out.len() as u64 });
        };
        let failed = Mutex::new(None::<(usize, _)>);
        let work = stream.tiles().zip(out.chunks_mut(TILE_SIZE));
        fan_out(
            workers(&mut self.workers, self.threads, stream.tiles().len()),
            work,
            |worker, (tile, out)| {
                // What lies behind a bad tile does not matter any more; what lies before it has been handed out, and may be bad, too.
                if lock(&failed).is_some_and(|(first, _)| first < tile.index()) {
                    return;
                }
                let decoder = worker.decoder.get_or_insert_with(Decoder::boxed);
                if let Err(error) = decoder.decode_tile(tile.payload(), out) {
                    let mut failed = lock(&failed);
                    if failed.is_none_or(|(first, _)| tile.index() < first) {
                        *failed = Some((tile.index(), error));
                    }
                }
            },
        );
        match failed.into_inner().unwrap_or_else(PoisonError::into_inner) {
            Some((tile, error)) => Err(DecodeError::Tile { tile, error }),
            None => Ok(len),
        }
    }
}

/// As many workers as there are tiles or threads, whichever is less.
fn workers(all: &mut Vec<Worker>, threads: NonZeroUsize, tiles: usize) -> &mut [Worker] {
    let count = threads.get().min(tiles);
    if all.len() < count {
        all.resize_with(count, Worker::default);
    }
    &mut all[..count]
}

/// Has `work` done for every item, each on whichever worker is free, one of them on this thread; they are handed out in order.
/// Where the system refuses a thread, those there are do the work.
fn fan_out<T: Send>(
    workers: &mut [Worker],
    items: impl Iterator<Item = T> + Send,
    work: impl Fn(&mut Worker, T) + Sync,
) {
    let items = Mutex::new(items);
    let run = |worker: &mut Worker| {
        loop {
            // A statement of its own: the lock must not be held while the item is worked on.
            let item = lock(&items).next();
            let Some(item) = item else { return };
            work(worker, item);
        }
    };
    let Some((mine, others)) = workers.split_first_mut() else { return };
    thread::scope(|scope| {
        for worker in others {
            let builder = thread::Builder::new().name("ds-compression".to_owned());
            if builder.spawn_scoped(scope, || run(worker)).is_err() {
                break;
            }
        }
        run(mine);
    });
}

fn too_large(raw: &[u8]) -> EncodeError {
    EncodeError::StreamTooLarge { actual: raw.len() as u64 }
}
