//! The joint questions of the mesh: the files of `examples/london/queries`.

/// Dwelling fires per 1,000 households by borough: the question that no single body can answer.
pub const FIRE_RISK: &str = include_str!("../../london/queries/fire_risk.sql");

/// A question that spans bodies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Query {
    /// The file's name without `.sql`.
    pub name: &'static str,
    /// What it asks, in one line: the file's first comment.
    pub title: &'static str,
    /// The SQL, comments included, without a closing semicolon; before it the purpose, where it is not the profile's.
    pub sql: &'static str,
}

/// All questions, fire risk first.
pub fn queries() -> &'static [Query] {
    static QUERIES: std::sync::LazyLock<Vec<Query>> =
        std::sync::LazyLock::new(|| FILES.iter().map(|&(name, sql)| Query { name, title: title(sql), sql }).collect());
    &QUERIES
}

const FILES: [(&str, &str); 14] = [
    ("fire_risk", FIRE_RISK),
    ("hmo_fires", include_str!("../../london/queries/hmo_fires.sql")),
    ("hmo_share", include_str!("../../london/queries/hmo_share.sql")),
    ("property_types", include_str!("../../london/queries/property_types.sql")),
    ("dwelling_types", include_str!("../../london/queries/dwelling_types.sql")),
    ("highest_years", include_str!("../../london/queries/highest_years.sql")),
    ("fire_risk_join", include_str!("../../london/queries/fire_risk_join.sql")),
    ("hmo_licences", include_str!("../../london/queries/hmo_licences.sql")),
    ("deprivation", include_str!("../../london/queries/deprivation.sql")),
    ("high_rises", include_str!("../../london/queries/high_rises.sql")),
    ("green_space", include_str!("../../london/queries/green_space.sql")),
    ("air_and_asthma", include_str!("../../london/queries/air_and_asthma.sql")),
    ("vacant_homes", include_str!("../../london/queries/vacant_homes.sql")),
    ("spend", include_str!("../../london/queries/spend.sql")),
];

fn title(sql: &'static str) -> &'static str {
    sql.lines().next().unwrap_or_default().trim_start_matches('-').trim()
}
