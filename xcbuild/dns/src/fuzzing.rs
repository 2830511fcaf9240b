//! What fuzz targets need of parts that are not public.

use crate::corefile::ParseError;
use crate::wire::{Delivery, Name, Query, Sections};
use crate::zone_file::Zone;

/// Types that answers treat in different ways, by number: A, NS, CNAME, SOA, MX, ANY.
const TYPES: [u8; 6] = [1, 2, 5, 6, 15, 255];

/// Reads a zone and asks for names of it; every answer can be read.
///
/// # Errors
/// When the text is not a zone.
///
/// # Panics
/// When an answer can't be read.
pub fn answers_of_zone(text: &str, origin: &str) -> Result<(), ParseError> {
    let origin: Name = origin.parse().unwrap_or_else(|_| Name::root());
    let zone = Zone::parse("zone", text, &origin)?;
    let labels = text.split_whitespace().take(20);
    let names = labels.filter_map(|label| crate::zone_file::name(label, &origin).ok());
    for name in names.filter(|name| name.is_within(&origin)) {
        for qtype in TYPES {
            let question = [&[0, 1, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0], name.wire(), &[0, qtype, 0, 1]];
            let Ok(query) = Query::parse(&question.concat()) else { continue };
            let (limit, generation) = (usize::from(u16::MAX), None);
            let delivery = Delivery { limit, age: 0, stale: false, generation };
            let answer = zone.answer(&query).deliver(&query, delivery);
            assert!(Sections::read(&answer).is_ok(), "{name}");
        }
    }
    Ok(())
}
