//! The sizes that an Arrow IPC file declares, checked before its reader makes room for them.
//!
//! The reader takes the length of a message's body, and of what a packed buffer unpacks to, from
//! the file and asks for as much memory at once; a damaged length ends the program. Here each is
//! compared with the size of the file and with what LZ4 can make of so many bytes (255 times). A
//! column of one value packs better with zstd: 256 MiB of a file may be beyond that.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;

use arrow_ipc::{
    Block, CompressionType, Endianness, Message, RecordBatch, root_as_footer, root_as_message,
};

use crate::IngestError;

/// How a file of record batches ends and begins.
pub(crate) const MAGIC: &[u8; 6] = b"ARROW1";

/// What precedes a message's length.
const CONTINUATION: [u8; 4] = [0xff; 4];

/// The most that LZ4 expands by, and what is allowed besides.
const MOST_EXPANSION: u64 = 255;
const FREE: u64 = 4096;
/// The most that the buffers of a file may hold beyond this, all together, where zstd packed them.
const FREE_OF_ZSTD: u64 = 256 << 20;

/// Checks every message of a file or stream.
pub(crate) fn check(path: &Path, file: &mut File) -> Result<(), IngestError> {
    let size = file.metadata().map_err(IngestError::io(path))?.len();
    let mut sizes = Sizes { path, file, size, free: FREE_OF_ZSTD };
    if sizes.bytes(0, MAGIC.len() as u64)? == MAGIC { sizes.file() } else { sizes.stream() }
}

struct Sizes<'a> {
    path: &'a Path,
    file: &'a mut File,
    size: u64,
    /// What buffers packed by zstd may still hold beyond the limit of each.
    free: u64,
}

impl Sizes<'_> {
    fn damaged(&self, reason: impl ToString) -> IngestError {
        IngestError::damaged(self.path, reason)
    }

    fn bytes(&mut self, at: u64, length: u64) -> Result<Vec<u8>, IngestError> {
        if at.checked_add(length).is_none_or(|end| end > self.size) {
            return Err(self.damaged("a message lies beyond its end"));
        }
        let io = IngestError::io(self.path);
        let mut bytes = vec![0; length as usize];
        self.file.seek(SeekFrom::Start(at)).map_err(&io)?;
        self.file.read_exact(&mut bytes).map_err(&io)?;
        Ok(bytes)
    }

    /// The messages that the footer tells of.
    fn file(&mut self) -> Result<(), IngestError> {
        let end = self.bytes(self.size.saturating_sub(10), 10)?;
        let length = u64::from(u32::from_le_bytes([end[0], end[1], end[2], end[3]]));
        let start = (self.size - 10).checked_sub(length);
        let start = start.ok_or_else(|| self.damaged("its footer is longer than it is"))?;
        let footer = self.bytes(start, length)?;
        let footer = root_as_footer(&footer).map_err(|error| self.damaged(error))?;
        let blocks = [footer.recordBatches(), footer.dictionaries()];
        let blocks: Vec<&Block> = blocks.into_iter().flatten().flatten().collect();
        for block in blocks {
            let number = |value: i64| u64::try_from(value).ok();
            let place = (number(block.offset()), number(block.metaDataLength().into()));
            let (Some(start), Some(length)) = place else {
                return Err(self.damaged("a message has no place"));
            };
            let head = self.bytes(start, length)?;
            let skip = if head.starts_with(&CONTINUATION) { 8 } else { 4 };
            let body = number(block.bodyLength());
            self.message(head.get(skip..).unwrap_or_default(), start + length, body)?;
        }
        Ok(())
    }

    /// One message after the other.
    fn stream(&mut self) -> Result<(), IngestError> {
        let mut at = 0;
        loop {
            if at == self.size {
                return Err(self
                    .damaged("it has no end mark: it was cut off, or the writer was not closed"));
            }
            let mut word = self.bytes(at, 4)?;
            at += 4;
            if word == CONTINUATION {
                word = self.bytes(at, 4)?;
                at += 4;
            }
            let length = u64::from(u32::from_le_bytes([word[0], word[1], word[2], word[3]]));
            if length == 0 {
                return Ok(());
            }
            let head = self.bytes(at, length)?;
            at += length;
            at += self.message(&head, at, None)?;
        }
    }

    /// Checks a message whose body is at `body`; gives the body's length. `declared`: what the
    /// footer says of it.
    fn message(
        &mut self,
        head: &[u8],
        body: u64,
        declared: Option<u64>,
    ) -> Result<u64, IngestError> {
        let message: Message<'_> = root_as_message(head).map_err(|error| self.damaged(error))?;
        let schema = message.header_as_schema();
        if schema.is_some_and(|schema| schema.endianness() != Endianness::Little) {
            return Err(self.damaged("its numbers are big-endian, which Arrow's readers refuse"));
        }
        let length = u64::try_from(message.bodyLength()).unwrap_or(u64::MAX);
        for length in [Some(length), declared].into_iter().flatten() {
            if body.checked_add(length).is_none_or(|end| end > self.size) {
                return Err(self.damaged("it ends within a message"));
            }
        }
        let dictionary = message.header_as_dictionary_batch().and_then(|batch| batch.data());
        for batch in [message.header_as_record_batch(), dictionary].into_iter().flatten() {
            self.buffers(batch, body)?;
        }
        Ok(length)
    }

    /// Checks what the packed buffers of a record batch expand to.
    fn buffers(&mut self, batch: RecordBatch<'_>, body: u64) -> Result<(), IngestError> {
        let Some(compression) = batch.compression() else { return Ok(()) };
        let zstd = compression.codec() == CompressionType::ZSTD;
        for buffer in batch.buffers().into_iter().flatten() {
            let place = (u64::try_from(buffer.offset()), u64::try_from(buffer.length()));
            let (Ok(offset), Ok(packed)) = place else {
                return Err(self.damaged("a buffer has no place"));
            };
            if packed < 8 {
                continue;
            }
            let start = body.saturating_add(offset);
            let declared = self.bytes(start, 8)?.try_into().map_or(0, i64::from_le_bytes);
            let limit = packed.saturating_mul(MOST_EXPANSION).saturating_add(FREE);
            // −1: not packed.
            let beyond = match declared {
                -1 => 0,
                length => u64::try_from(length).map_or(u64::MAX, |l| l.saturating_sub(limit)),
            };
            if zstd && beyond <= self.free {
                self.free -= beyond;
            } else if beyond > 0 {
                return Err(IngestError::Bomb {
                    path: self.path.to_owned(),
                    member: "a buffer".into(),
                    packed,
                    unpacked: declared as u64,
                    limit,
                });
            }
        }
        Ok(())
    }
}
