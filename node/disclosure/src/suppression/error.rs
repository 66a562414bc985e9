//! Why no set of withheld cells can be given.

/// Why no set of withheld cells can be given; nothing of a cell's value is in it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SuppressionError {
    /// The tables have more cells than are solved.
    #[error(
        "the declared tables have {cells} cells with their margins, and {most} are the most that are solved: declare fewer dimensions, coarser labels or fewer tables"
    )]
    Cells {
        /// How many, or as many as were counted.
        cells: usize,
        /// The most.
        most: usize,
    },
    /// A table names a dimension or label that does not exist, or one twice.
    #[error("table {table} names a dimension or label that there is none of, or a dimension twice")]
    Table {
        /// Its place.
        table: usize,
    },
    /// Figures that don't belong to the shape, or don't add up.
    #[error(
        "the figures of the declared tables don't add up: this is a fault of the node, or labels of a dimension are missing from its domain"
    )]
    Figures,
    /// Some cell is not protected by withholding everything.
    #[error("a cell of the declared tables can't be protected even if everything is withheld: declare coarser tables")]
    Unprotected,
}
