//! A row of an address list as the parts of an address.

use super::designator::{Class, Number, Part};
use super::postcode::Postcode;
use super::text::{Parsed, Piece, is_street_type, parse};

/// A row of a list as it is written, in the columns of AddressBase or as one text.
#[derive(Debug, Clone, Copy, Default)]
pub struct Fields<'a> {
    /// Who is there.
    pub organisation: Option<&'a str>,
    /// The part of the building: `FLAT 3`.
    pub flat: Option<&'a str>,
    /// The building's name.
    pub name: Option<&'a str>,
    /// The building's number or numbers.
    pub number: Option<&'a str>,
    /// The street.
    pub street: Option<&'a str>,
    /// The part of the town.
    pub locality: Option<&'a str>,
    /// The post town.
    pub town: Option<&'a str>,
    /// The postcode.
    pub postcode: Option<&'a str>,
    /// All of it in one text.
    pub text: Option<&'a str>,
}

/// Where a word of an address stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Field {
    Street,
    Name,
    Organisation,
    Place,
}

/// The parts of an address.
#[derive(Debug, Default)]
pub(crate) struct Record {
    pub(crate) number: Option<Number>,
    pub(crate) flat: Option<Part>,
    pub(crate) words: Vec<(Field, String)>,
    pub(crate) postcode: Option<Postcode>,
}

impl Record {
    pub(crate) fn of(fields: &Fields<'_>) -> Self {
        let mut record = Self { postcode: fields.postcode.and_then(Postcode::of), ..Self::default() };
        record.put_number(fields.number);
        record.put_flat(fields.flat);
        for (said, field) in [
            (fields.name, Field::Name),
            (fields.street, Field::Street),
            (fields.organisation, Field::Organisation),
            (fields.locality, Field::Place),
            (fields.town, Field::Place),
        ] {
            let parsed = said.map(parse).unwrap_or_default();
            for (piece, _) in parsed.pieces {
                record.put(piece, field);
            }
        }
        if let Some(text) = fields.text {
            record.put_text(parse(text));
        }
        record
    }

    fn put_number(&mut self, said: Option<&str>) {
        for (piece, _) in said.map(parse).unwrap_or_default().pieces {
            self.put(piece, Field::Name);
        }
    }

    /// A piece of a column: the first number is the building's, the first part of a building the flat.
    fn put(&mut self, piece: Piece, field: Field) {
        match piece {
            Piece::Word(word) => self.words.push((field, word)),
            Piece::Number(number) if self.number.is_none() && matches!(field, Field::Name | Field::Street) => {
                // BLOCK 2 is a name, and 12A ROSE COURT begins with the number.
                if field == Field::Name && self.words.last().is_some_and(|(last, _)| *last == Field::Name) {
                    self.words.push((field, number.first.text()));
                } else {
                    self.number = Some(number);
                }
            }
            Piece::Number(number) => self.words.push((field, number.first.text())),
            Piece::Part(part) if self.flat.is_none() && field != Field::Organisation => self.flat = Some(part),
            Piece::Part(part) => self.words.push((field, part.id)),
        }
    }

    /// The column of flats: what it says is the flat, whatever its words are.
    fn put_flat(&mut self, said: Option<&str>) {
        let pieces = said.map(parse).unwrap_or_default().pieces;
        let numbered = |part: &Part| part.class != Class::Floor;
        let parts =
            || pieces.iter().filter_map(|(piece, _)| if let Piece::Part(part) = piece { Some(part) } else { None });
        let chosen = parts().find(|part| numbered(part)).or_else(|| parts().next()).cloned();
        let number = pieces.iter().find_map(|(piece, _)| match piece {
            Piece::Number(number) => Some(number.first.text()),
            _ => None,
        });
        let words: String = pieces
            .iter()
            .filter_map(|(piece, _)| if let Piece::Word(word) = piece { Some(word.as_str()) } else { None })
            .collect();
        let flat = |id: String| Part { class: Class::Flat, id };
        let named = chosen.is_none() && number.is_none();
        self.flat = chosen.or(number.map(flat)).or((!words.is_empty()).then(|| flat(words)));
        for (piece, _) in pieces {
            match piece {
                Piece::Part(part) if Some(&part) != self.flat.as_ref() => self.words.push((Field::Name, part.id)),
                Piece::Word(word) if !named => self.words.push((Field::Name, word)),
                Piece::Word(_) | Piece::Number(_) | Piece::Part(_) => {}
            }
        }
    }

    /// One text: what stands before the number is a name, the street ends with its type, and behind it are places.
    fn put_text(&mut self, parsed: Parsed) {
        self.postcode = self.postcode.take().or(parsed.postcode);
        let pieces = parsed.pieces;
        let numbers: Vec<usize> =
            (0..pieces.len()).filter(|at| matches!(pieces.get(*at), Some((Piece::Number(_), _)))).collect();
        let begins = match numbers.last() {
            Some(at) => at + 1,
            None => street_without_number(&pieces),
        };
        let ends = end_of_street(&pieces, begins);
        for (at, (piece, _)) in pieces.into_iter().enumerate() {
            match piece {
                Piece::Number(number) if numbers.last() == Some(&at) => self.number = Some(number),
                // 3, 12 HIGH STREET
                Piece::Number(number) if self.flat.is_none() => {
                    self.flat = Some(Part { class: Class::Flat, id: number.first.text() });
                }
                Piece::Part(part) if self.flat.is_none() => self.flat = Some(part),
                Piece::Part(part) => self.words.push((Field::Name, part.id)),
                Piece::Number(number) => self.words.push((Field::Name, number.first.text())),
                Piece::Word(word) => {
                    let field = if at < begins {
                        Field::Name
                    } else if at < ends {
                        Field::Street
                    } else {
                        Field::Place
                    };
                    self.words.push((field, word));
                }
            }
        }
    }
}

/// Where the stretch begins, behind the first one, that ends with what a street is; otherwise the second one.
fn street_without_number(pieces: &[(Piece, usize)]) -> usize {
    let begins = |segment: usize| pieces.iter().position(|(_, of)| *of == segment);
    let mut segments: Vec<usize> = pieces.iter().map(|(_, segment)| *segment).collect();
    segments.dedup();
    let ends_so = |segment: &&usize| {
        let last = pieces.iter().rfind(|(_, of)| of == *segment);
        matches!(last, Some((Piece::Word(word), _)) if is_street_type(word))
    };
    let street = segments.iter().skip(1).find(ends_so).or(segments.get(1)).or(segments.first());
    street.and_then(|segment| begins(*segment)).unwrap_or(pieces.len())
}

/// Behind the last of the words together that say what a street is, or at the end of the stretch.
fn end_of_street(pieces: &[(Piece, usize)], begins: usize) -> usize {
    let Some((_, segment)) = pieces.get(begins) else { return pieces.len() };
    let stretch = pieces.iter().skip(begins).take_while(|(_, of)| of == segment).count();
    let is_type = |at: usize| matches!(pieces.get(at), Some((Piece::Word(word), _)) if is_street_type(word));
    let mut ends = (begins..begins + stretch).find(|at| is_type(*at)).map_or(begins + stretch, |at| at + 1);
    while ends < begins + stretch && is_type(ends) {
        ends += 1;
    }
    ends
}
