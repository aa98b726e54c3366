//! The header of an npy: type, order and shape, written as a Python dictionary.
//!
//! It is parsed here and not by a crate: those at hand multiply the sides of a shape without a
//! check and descend into nested literals as deep as a file asks.

use std::io::Read;

use crate::element::{Class, Element};
use crate::row_major::Order;
use crate::{Array, ArrayError};

/// The longest header that is read; NumPy's own limit is 10,000.
const LONGEST_HEADER: usize = 1 << 16;

/// Reads the header of an array; the elements follow. A structured array gives one for each field.
pub(crate) fn read(name: &str, bytes: &mut impl Read) -> Result<Vec<Array>, ArrayError> {
    let damaged = |reason: &str| ArrayError::Damaged(format!("{name}: {reason}"));
    let mut magic = [0; 8];
    bytes.read_exact(&mut magic)?;
    if magic[..6] != *b"\x93NUMPY" {
        return Err(damaged("it does not begin as npy does"));
    }
    let length = match magic[6] {
        1 => {
            let mut length = [0; 2];
            bytes.read_exact(&mut length)?;
            usize::from(u16::from_le_bytes(length))
        }
        2 | 3 => {
            let mut length = [0; 4];
            bytes.read_exact(&mut length)?;
            u32::from_le_bytes(length) as usize
        }
        _ => return Err(damaged("it is of an unknown version of npy")),
    };
    if length > LONGEST_HEADER {
        return Err(damaged("its header is far longer than any that NumPy writes"));
    }
    let mut text = vec![0; length];
    bytes.read_exact(&mut text)?;
    let text = String::from_utf8_lossy(&text);
    let header = Header::parse(&text).ok_or_else(|| damaged("its header cannot be parsed"))?;
    header.arrays(name)
}

/// Bytes of a record of a structured array, or of an element: what a header promises of each.
pub(crate) fn record(arrays: &[Array]) -> u64 {
    match arrays {
        [Array { order: Order::Field { record, .. }, .. }, ..] => *record as u64,
        [array, ..] => array.element.size as u64,
        [] => 0,
    }
}

/// The number of records that arrays of one header have.
pub(crate) fn records(arrays: &[Array]) -> Option<u64> {
    let array = arrays.first()?;
    let sides = match array.order {
        Order::Field { sides, .. } => &array.shape[..sides],
        _ => &array.shape[..],
    };
    sides.iter().try_fold(1_u64, |product, &side| product.checked_mul(side))
}

/// What a header says.
#[derive(Debug, PartialEq)]
struct Header {
    descr: Descr,
    column_major: bool,
    shape: Vec<u64>,
}

/// A type.
#[derive(Debug, PartialEq)]
enum Descr {
    Plain(String),
    Fields(Vec<FieldType>),
}

/// One field of a structured type.
#[derive(Debug, PartialEq)]
struct FieldType {
    name: String,
    /// `None` where it is a structure itself.
    descr: Option<String>,
    shape: Vec<u64>,
}

impl Header {
    /// Reads `{'descr': '<f4', 'fortran_order': False, 'shape': (3, 4), }`.
    fn parse(text: &str) -> Option<Self> {
        let body = text.trim().strip_prefix('{')?.strip_suffix('}')?;
        let after = |key: &str| {
            let quoted = [format!("'{key}'"), format!("\"{key}\"")];
            let value = quoted.iter().find_map(|key| body.split_once(key.as_str()))?.1;
            Some(value.trim_start().strip_prefix(':')?.trim_start())
        };
        let order = after("fortran_order")?;
        let column_major = match (order.starts_with("True"), order.starts_with("False")) {
            (true, _) => true,
            (_, true) => false,
            _ => return None,
        };
        Some(Self {
            descr: Descr::parse(after("descr")?)?,
            column_major,
            shape: tuple(&mut after("shape")?)?,
        })
    }

    fn arrays(self, name: &str) -> Result<Vec<Array>, ArrayError> {
        let several = self.shape.iter().filter(|&&side| side > 1).count() > 1;
        let column_major = self.column_major && several;
        match self.descr {
            Descr::Plain(descr) => {
                let element = element_of(name, &descr)?;
                let order = if column_major { Order::ColumnMajor } else { Order::RowMajor };
                Ok(vec![Array { name: name.into(), shape: self.shape, element, order }])
            }
            Descr::Fields(fields) => {
                if column_major {
                    let reason = format!("{name} is structured and column-major at once");
                    return Err(ArrayError::Damaged(reason));
                }
                structured(name, fields, &self.shape)
            }
        }
    }
}

/// The fields as arrays: with an axis more where a field is an array itself.
fn structured(name: &str, fields: Vec<FieldType>, shape: &[u64]) -> Result<Vec<Array>, ArrayError> {
    let overflow = || ArrayError::Damaged(format!("{name}: its records are too long"));
    let mut arrays = Vec::new();
    let mut offset = 0_usize;
    for field in fields {
        let whole = format!("{name}.{}", field.name);
        let descr = field.descr.unwrap_or_else(|| "a structure in a structure".into());
        // Padding between fields: raw bytes that have no name.
        let padding = field.name.is_empty().then(|| descr.strip_prefix("|V")?.parse().ok());
        if let Some(Some(padding)) = padding {
            offset = offset.checked_add(padding).ok_or_else(overflow)?;
            continue;
        }
        let element = element_of(&whole, &descr)?;
        let bytes = field
            .shape
            .iter()
            .try_fold(element.size, |bytes, &side| bytes.checked_mul(usize::try_from(side).ok()?));
        let end = bytes.and_then(|bytes| offset.checked_add(bytes)).ok_or_else(overflow)?;
        let order = Order::Field { record: 0, offset, length: end - offset, sides: shape.len() };
        let shape = shape.iter().chain(&field.shape).copied().collect();
        arrays.push(Array { name: field.name, shape, element, order });
        offset = end;
    }
    for array in &mut arrays {
        if let Order::Field { record, .. } = &mut array.order {
            *record = offset;
        }
    }
    if arrays.is_empty() || offset == 0 {
        return Err(ArrayError::Damaged(format!("{name}: its records have no fields")));
    }
    Ok(arrays)
}

fn element_of(name: &str, descr: &str) -> Result<Element, ArrayError> {
    if descr.get(1..).is_some_and(|kind| kind.starts_with('O')) {
        return Err(ArrayError::Pickle { array: name.into() });
    }
    element(descr).ok_or_else(|| ArrayError::Type { array: name.into(), found: descr.to_owned() })
}

impl Descr {
    /// `'<f4'`, or `[('OUT', '<f4', (3,)), ('y', '<i8')]`.
    fn parse(text: &str) -> Option<Self> {
        let mut rest = text;
        if !text.starts_with('[') {
            return Some(Self::Plain(quoted(&mut rest)?));
        }
        rest = rest[1..].trim_start();
        let mut fields = Vec::new();
        while !rest.starts_with(']') {
            rest = rest.strip_prefix('(')?.trim_start();
            // A title stands before the name.
            let name = match rest.strip_prefix('(') {
                Some(titled) => {
                    rest = titled.trim_start();
                    quoted(&mut rest)?;
                    comma(&mut rest)?;
                    let name = quoted(&mut rest)?;
                    rest = rest.strip_prefix(')')?.trim_start();
                    name
                }
                None => quoted(&mut rest)?,
            };
            comma(&mut rest)?;
            if rest.starts_with('[') {
                // Not descended into: what it holds is not read.
                fields.push(FieldType { name, descr: None, shape: Vec::new() });
                return Some(Self::Fields(fields));
            }
            let descr = Some(quoted(&mut rest)?);
            let shape = match comma(&mut rest) {
                Some(()) if rest.starts_with('(') => tuple(&mut rest)?,
                _ => Vec::new(),
            };
            rest = rest.trim_start().strip_prefix(')')?.trim_start();
            fields.push(FieldType { name, descr, shape });
            if comma(&mut rest).is_none() && !rest.starts_with(']') {
                return None;
            }
        }
        Some(Self::Fields(fields))
    }
}

/// Takes a text in quotes from the front.
fn quoted(rest: &mut &str) -> Option<String> {
    let quote = rest.chars().next().filter(|c| matches!(c, '\'' | '"'))?;
    let (text, after) = rest[1..].split_once(quote)?;
    *rest = after.trim_start();
    Some(text.to_owned())
}

fn comma(rest: &mut &str) -> Option<()> {
    *rest = rest.strip_prefix(',')?.trim_start();
    Some(())
}

/// Takes `(3, 4)` from the front.
fn tuple(rest: &mut &str) -> Option<Vec<u64>> {
    let (sides, after) = rest.strip_prefix('(')?.split_once(')')?;
    *rest = after.trim_start();
    let sides = sides.split(',').map(str::trim).filter(|side| !side.is_empty());
    // Python 2 wrote long numbers with an L.
    sides.map(|text| text.strip_suffix('L').unwrap_or(text).parse().ok()).collect()
}

/// The type that a NumPy type string names, such as `<f4`.
fn element(descr: &str) -> Option<Element> {
    let (order, rest) = (descr.chars().next()?, descr.get(1..)?);
    let big_endian = match order {
        '>' => true,
        '<' | '|' => false,
        '=' => cfg!(target_endian = "big"),
        _ => return None,
    };
    let (class, size) = (rest.chars().next()?, rest.get(1..)?.parse::<usize>().ok()?);
    match class {
        'f' => Element::new(Class::Float, size, big_endian),
        'V' if size == 2 => Element::new(Class::Brain, size, big_endian),
        'i' => Element::new(Class::Signed, size, big_endian),
        'u' => Element::new(Class::Unsigned, size, big_endian),
        'b' => Element::new(Class::Boolean, size, big_endian),
        'S' => Element::new(Class::Bytes, size, big_endian),
        'U' => Element::new(Class::Unicode, size.checked_mul(4)?, big_endian),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_as_numpy_writes_them() {
        let parse = |text: &str| Header::parse(text).unwrap();
        let header = parse("{'descr': '<f4', 'fortran_order': False, 'shape': (3, 4), }    \n");
        let descr = Descr::Plain("<f4".into());
        assert_eq!(header, Header { descr, column_major: false, shape: vec![3, 4] });
        assert_eq!(parse("{'descr':'>i8','fortran_order':True,'shape':(7,)}").shape, [7]);
        assert!(parse("{'descr':'>i8','fortran_order':True,'shape':()}").shape.is_empty());
        assert!(Header::parse("{'descr': '<f4', 'shape': (3, 4), }").is_none());
        let negative = "{'descr': '<f4', 'fortran_order': False, 'shape': (3, -4)}";
        assert!(Header::parse(negative).is_none());
    }

    #[test]
    fn fields_are_arrays() {
        let text = "{'descr': [('OUT', '<f4', (3,)), ('y', '<i8'), (('a title', 'n'), '|S2')], \
                    'fortran_order': False, 'shape': (5,)}";
        let arrays = Header::parse(text).unwrap().arrays("outputs").unwrap();
        let found: Vec<_> = arrays.iter().map(|a| (a.name.as_str(), &a.shape[..])).collect();
        assert_eq!(found, [("OUT", &[5, 3][..]), ("y", &[5][..]), ("n", &[5][..])]);
        assert_eq!((record(&arrays), records(&arrays)), (22, Some(5)));
        let Order::Field { offset, .. } = arrays[1].order else { panic!("{arrays:?}") };
        assert_eq!(offset, 12);
    }

    #[test]
    fn objects_are_pickles_and_a_name_with_an_o_is_not() {
        let arrays = |descr: &str| {
            let text = format!("{{'descr': {descr}, 'fortran_order': False, 'shape': (2,)}}");
            Header::parse(&text).unwrap().arrays("a")
        };
        let pickle = |descr| matches!(arrays(descr), Err(ArrayError::Pickle { .. }));
        assert!(pickle("'|O'") && pickle("'|O8'") && pickle("[('a', '|O')]"));
        assert!(arrays("[('OUT', '<f4')]").is_ok());
        let nested = arrays("[('a', [('b', '<f4')])]");
        assert!(matches!(nested, Err(ArrayError::Type { .. })), "{nested:?}");
    }

    #[test]
    fn types_as_numpy_names_them() {
        let of = |descr| element(descr).map(|found| (found.class, found.size, found.big_endian));
        assert_eq!(of("<f2"), Some((Class::Float, 2, false)));
        assert_eq!(of(">f8"), Some((Class::Float, 8, true)));
        assert_eq!(of("|V2"), Some((Class::Brain, 2, false)));
        assert_eq!(of("|b1"), Some((Class::Boolean, 1, false)));
        assert_eq!(of("<U5"), Some((Class::Unicode, 20, false)));
        assert_eq!(of("<f16"), None);
        assert_eq!(of("<c8"), None);
        assert_eq!(of("é"), None);
    }
}
