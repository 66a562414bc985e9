//! Names of bodies, datasets, columns and federations: lower-case slugs that need no quoting in SQL.

use std::fmt;
use std::str::FromStr;

use crate::Invalid;

/// A lower-case slug: `[a-z][a-z0-9_]*`, at most 63 characters.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Name(Box<str>);

const RULE: &str =
    "a name is a lower-case letter, then lower-case letters, digits and underscores, 63 characters at most";

impl Name {
    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Name {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let mut bytes = text.bytes();
        let first = bytes.next().is_some_and(|b| b.is_ascii_lowercase());
        let rest = bytes.all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_');
        if first && rest && text.len() <= 63 {
            Ok(Self(text.into()))
        } else {
            Err(Invalid::value("Name", "text", text, RULE))
        }
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl AsRef<str> for Name {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl std::borrow::Borrow<str> for Name {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl<'de> serde::Deserialize<'de> for Name {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

impl serde::Serialize for Name {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

/// A body as the nodes of one federation name it: `lfb` in their own, `berlin.feuerwehr` in another. The same slug in two
/// federations is two bodies.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct BodyName {
    /// The other federation; `None` for a body of one's own.
    federation: Option<Name>,
    body: Name,
}

impl BodyName {
    /// The body of a federation, as the nodes of `own` name it.
    pub fn of(federation: &Name, body: &Name, own: &Name) -> Self {
        Self { federation: (federation != own).then(|| federation.clone()), body: body.clone() }
    }

    /// The body of a federation that is not one's own.
    pub fn of_other(federation: &Name, body: &Name) -> Self {
        Self { federation: Some(federation.clone()), body: body.clone() }
    }

    /// The same body as the nodes of `own` name it, where it was named by those of `theirs`.
    pub fn told_by(&self, theirs: &Name, own: &Name) -> Self {
        Self::of(self.federation.as_ref().unwrap_or(theirs), &self.body, own)
    }

    /// The other federation that it is of; `None` for a body of one's own.
    pub fn abroad(&self) -> Option<&Name> {
        self.federation.as_ref()
    }

    /// Whether it is of one's own federation.
    pub fn is_own(&self) -> bool {
        self.federation.is_none()
    }

    /// Its name in its federation, which says nothing about which federation that is.
    pub fn slug(&self) -> &Name {
        &self.body
    }
}

/// A body of one's own federation.
impl From<Name> for BodyName {
    fn from(body: Name) -> Self {
        Self { federation: None, body }
    }
}

impl FromStr for BodyName {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        Ok(match text.split_once('.') {
            Some((federation, body)) => Self { federation: Some(federation.parse()?), body: body.parse()? },
            None => Self { federation: None, body: text.parse()? },
        })
    }
}

impl fmt::Display for BodyName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.federation {
            Some(federation) => write!(f, "{federation}.{}", self.body),
            None => write!(f, "{}", self.body),
        }
    }
}

impl PartialEq<Name> for BodyName {
    fn eq(&self, own: &Name) -> bool {
        self.is_own() && self.body == *own
    }
}

impl<'de> serde::Deserialize<'de> for BodyName {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

impl serde::Serialize for BodyName {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// The full name of a dataset: `london.lfb.incidents`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct DatasetName {
    /// The federation, SQL's catalogue.
    pub federation: Name,
    /// The body, SQL's schema.
    pub body: Name,
    /// The dataset, SQL's table.
    pub dataset: Name,
}

impl fmt::Display for DatasetName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.federation, self.body, self.dataset)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slugs_are_names_and_nothing_else_is() {
        for good in ["lfb", "a", "tower_hamlets", "e2"] {
            assert_eq!(good.parse::<Name>().unwrap().as_str(), good);
        }
        for bad in ["", "a.b", "Lfb", "2e", "_a", "a-b", "a b", "a\"b", "é", &"a".repeat(64)] {
            assert!(bad.parse::<Name>().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn one_slug_in_two_federations_is_two_bodies() {
        let [london, berlin, lfb] = ["london", "berlin", "lfb"].map(|text| text.parse::<Name>().unwrap());
        let (own, abroad) = (BodyName::of(&london, &lfb, &london), BodyName::of(&berlin, &lfb, &london));
        assert_ne!(own, abroad);
        assert!(own == lfb && abroad != lfb && own == BodyName::from(lfb.clone()));
        assert_eq!((own.to_string(), abroad.to_string()), ("lfb".into(), "berlin.lfb".into()));
        for body in [&own, &abroad] {
            assert_eq!(body.to_string().parse::<BodyName>().unwrap(), *body);
        }
        // What a node of Berlin says of them.
        assert_eq!("lfb".parse::<BodyName>().unwrap().told_by(&berlin, &london), abroad);
        assert_eq!("london.lfb".parse::<BodyName>().unwrap().told_by(&berlin, &london), own);
        assert_eq!("berlin.lfb".parse::<BodyName>().unwrap().told_by(&berlin, &london), abroad);
        assert_eq!("london.lfb".parse::<BodyName>().unwrap().told_by(&london, &london), own);
        for bad in ["", ".", "a.", ".a", "a.b.c", "A.b", "a. b"] {
            assert!(bad.parse::<BodyName>().is_err(), "{bad:?}");
        }
    }
}
