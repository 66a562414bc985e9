//! Datasets whose rows the tests know: people of a made-up town, written beside a body's own before its node starts.

use std::fmt::Write as _;
use std::fs;

use crate::support::Mesh;

/// Streets of the town; five to a ward, more or less.
pub(super) const STREETS: usize = 40;
/// Wards of the town.
pub(super) const WARDS: usize = 6;

/// A pseudo-random sequence (splitmix64): the same for the same seed.
pub(super) struct Random(pub(super) u64);

impl Random {
    fn word(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut word = self.0;
        word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        word ^ (word >> 31)
    }

    /// A number below `below`.
    pub(super) fn below(&mut self, below: usize) -> usize {
        usize::try_from(self.word() % below as u64).unwrap()
    }

    /// Some of the numbers below `of`, each with even chances.
    pub(super) fn half(&mut self, of: usize, most: usize) -> Vec<usize> {
        let mut numbers: Vec<usize> = (0..of).collect();
        for last in (1..of).rev() {
            numbers.swap(last, self.below(last + 1));
        }
        numbers.truncate(most.min(of / 2));
        numbers.sort_unstable();
        numbers
    }
}

/// One person: what the attacker is after is `ill` and `income`; the rest is known of everybody.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Person {
    pub(super) id: usize,
    pub(super) ward: usize,
    pub(super) street: usize,
    pub(super) age: usize,
    pub(super) woman: bool,
    pub(super) ill: bool,
    pub(super) income: i64,
}

impl Person {
    /// The condition that holds for this person, and for nobody else where streets, ages and sexes tell people apart.
    pub(super) fn alone(&self) -> String {
        format!("street = 's{:02}' AND age = {} AND sex = '{}'", self.street, self.age, self.sex())
    }

    pub(super) fn sex(&self) -> char {
        if self.woman { 'f' } else { 'm' }
    }
}

/// People of whom no two share street, age and sex.
pub(super) fn people(seed: u64, number: usize) -> Vec<Person> {
    let mut random = Random(seed);
    let mut taken = std::collections::BTreeSet::new();
    let mut people = Vec::new();
    while people.len() < number {
        let street = random.below(STREETS);
        let (age, woman) = (18 + random.below(60), random.below(2) == 0);
        if taken.insert((street, age, woman)) {
            let ill = random.below(4) == 0;
            let income = 10_000 + i64::try_from(random.below(50_000)).unwrap();
            let ward = street * WARDS / STREETS;
            people.push(Person { id: 1000 + people.len(), ward, street, age, woman, ill, income });
        }
    }
    people
}

/// A dataset of `statistics` as it is written down: its file, and its rows.
pub(super) struct Published {
    pub(super) name: &'static str,
    title: String,
    settings: String,
    unit: String,
    columns: String,
    csv: String,
}

/// The columns of people.
const PEOPLE: [(&str, &str, &str); 8] = [
    ("person", "bigint", "role = \"identifier\""),
    ("ward", "varchar", "role = \"dimension\""),
    ("street", "varchar", "role = \"dimension\""),
    ("age", "integer", "role = \"dimension\"\nranges = true"),
    ("sex", "varchar", "role = \"dimension\""),
    ("ill", "boolean", "role = \"dimension\""),
    ("income", "bigint", "role = \"measure\"\nbounds = [0, 200000]\nbands = [20000, 30000, 40000, 50000]"),
    ("note", "varchar", "role = \"hidden\""),
];

impl Published {
    /// Any rows, of any columns, with any unit; of a kind of its own, so that nothing is shared with another.
    pub(super) fn new(name: &'static str, unit: &str, columns: &[(&str, &str, &str)], csv: String) -> Self {
        let column = |(name, kind, rest): &(&str, &str, &str)| {
            format!("[[columns]]\nname = \"{name}\"\ntype = \"{kind}\"\n{rest}\n")
        };
        Self {
            name,
            title: name.to_owned(),
            settings: String::new(),
            unit: format!("kind = \"{name}\"\n{unit}"),
            columns: columns.iter().map(column).collect(),
            csv,
        }
    }

    /// People, one row each.
    pub(super) fn people(name: &'static str, people: &[Person]) -> Self {
        Self::new(name, "column = \"person\"\nunique = true", &PEOPLE, rows(people))
    }

    /// With another title.
    pub(super) fn titled(mut self, title: &str) -> Self {
        title.clone_into(&mut self.title);
        self
    }

    /// With another setting of the dataset.
    pub(super) fn with(mut self, setting: &str) -> Self {
        self.settings += setting;
        self.settings += "\n";
        self
    }

    /// With units of this kind, which other datasets have, too.
    pub(super) fn of_kind(mut self, kind: &str) -> Self {
        self.unit = self.unit.replacen(&format!("kind = \"{}\"", self.name), &format!("kind = \"{kind}\""), 1);
        self
    }

    /// Writes both files into a body's folder.
    pub(super) fn write(&self, mesh: &Mesh, body: &str) {
        let Self { name, settings, unit, columns, .. } = self;
        let title = toml::Value::from(self.title.as_str());
        let form = if settings.contains("form = ") { "" } else { "form = \"statistics\"\nthreshold = 10\n" };
        let unit = if unit.is_empty() { String::new() } else { format!("[unit]\n{unit}\n") };
        let text = format!(
            "name = \"{name}\"\ntitle = {title}\ndescription = \"People of no town\"\nlicence = \"none\"\n{form}\
             {settings}{unit}[source]\nkind = \"csv\"\npath = \"data/{name}.csv\"\n{columns}"
        );
        let folder = mesh.folder(body);
        fs::write(folder.join(format!("datasets/{name}.toml")), text).unwrap();
        self.write_rows(mesh, body, &self.csv);
    }

    /// Writes other rows in place of these.
    pub(super) fn write_rows(&self, mesh: &Mesh, body: &str, csv: &str) {
        let file = mesh.folder(body).join(format!("data/{}.csv", self.name));
        let new = file.with_extension("new");
        fs::write(&new, csv).unwrap();
        fs::rename(new, file).unwrap();
    }

    /// Another form than statistics, without a unit.
    pub(super) fn in_form(mut self, form: &str) -> Self {
        self.unit.clear();
        self.with(&format!("form = \"{form}\""))
    }
}

/// The rows of people as CSV.
pub(super) fn rows(people: &[Person]) -> String {
    let mut csv = "person,ward,street,age,sex,ill,income,note\n".to_owned();
    for one in people {
        let Person { id, ward, street, age, ill, income, .. } = one;
        writeln!(csv, "{id},w{ward},s{street:02},{age},{},{ill},{income},NOTE-{id}", one.sex()).unwrap();
    }
    csv
}

/// The condition that the street is one of these.
pub(super) fn in_streets(streets: &[usize]) -> String {
    let names: Vec<String> = streets.iter().map(|street| format!("'s{street:02}'")).collect();
    format!("street IN ({})", names.join(", "))
}
