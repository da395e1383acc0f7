//! The metrics of names, where names are looked for. Takes figures; gives samples. Must not know how names are found.

use std::io::{self, Write};

use super::family;
use super::text::TextWriter;
use crate::names::{LookupResult, NameSource, NamesFigures};

/// Writes the figures of all sources.
pub(super) fn write<W: Write>(figures: &NamesFigures, writer: &mut TextWriter<W>) -> io::Result<()> {
    writer.family(&family::NAMES_LOOKUPS)?;
    for source in NameSource::ALL {
        for result in LookupResult::ALL {
            let sample = writer.sample(family::NAMES_LOOKUPS.name).label("source", source.label());
            sample.label("result", result.label()).value(figures.lookups(source, result))?;
        }
    }
    writer.family(&family::NAMES_ENTRIES)?;
    for source in NameSource::ALL {
        writer.sample(family::NAMES_ENTRIES.name).label("source", source.label()).value(figures.entries(source))?;
    }
    writer.single(&family::NAMES_REFUSED, figures.refused())?;
    writer.single(&family::NAMES_BYTES, figures.memory_bytes())
}
