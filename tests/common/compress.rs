//! Compresses captures as the tools of these formats do.

use std::io::Write as _;

/// A compressed form of a capture.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    Gzip,
    Zstandard,
    Xz,
}

impl Form {
    pub const ALL: [Self; 3] = [Self::Gzip, Self::Zstandard, Self::Xz];

    /// The bytes in this form.
    pub fn of(self, bytes: &[u8]) -> Vec<u8> {
        match self {
            Self::Gzip => {
                let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
                gzip.write_all(bytes).expect("it is compressed");
                gzip.finish().expect("it is compressed")
            }
            Self::Zstandard => ruzstd::encoding::compress_to_vec(bytes, ruzstd::encoding::CompressionLevel::Fastest),
            Self::Xz => {
                let options = lzma_rust2::XzOptions::with_preset(1);
                let mut xz = lzma_rust2::XzWriter::new(Vec::new(), options).expect("xz starts");
                xz.write_all(bytes).expect("it is compressed");
                xz.finish().expect("it is compressed")
            }
        }
    }
}
