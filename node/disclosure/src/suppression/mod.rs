//! Secondary suppression: which cells of a set of linked tables are withheld, so that those that are published, with
//! all that is known of how cells add up, don't tell them.
//!
//! The tables of one dataset are taken together ([`Shape`]): a cell is a *predicate*, `{dimension = label, …}`, and equal
//! predicates of different tables are one cell. Each table has all of its margins. A cell is the sum of its cells by any
//! one dimension, wherever those are in the set; where a table fixes a label by a filter, the cells beside it are added
//! to the set as cells that are never published, since they can be had by subtraction.
//!
//! *Primary* is a cell of fewer units than the threshold, zero among them (so that zero and withheld look alike), and one
//! whose sum few units dominate. What must hold of what is published ([`solve`] withholds until it does):
//!
//! - whoever knows it and that no count is negative can't rule out any count from 0 to k - 1 for a cell withheld as too
//!   small, by integers, not only by the linear relaxation;
//! - for a sum they can't come nearer than the p% rule asks on both sides, nor exclude that a cell of too few units holds
//!   one typical contribution more;
//! - both hold also for somebody who is the only unit of a withheld cell, and so knows that cell.
//!
//! A cell is withheld whole, its count and its sums: a sum that is published beside a withheld count bounds it by the
//! measure's bounds. Counts and sums are audited each by itself; that a sum lies within count × bounds is not used
//! against them.
//!
//! The audit looks for *witnesses*: other tables of whole numbers that agree with all that is published and in which
//! the cell takes the value that must stay possible. A witness is proposed by linear programming (`linear`) and then checked
//! exactly (`witness`), so that nothing rests on floating point or on the solver: what it fails to find costs another
//! withheld cell. Secondary cells are chosen by linear programming as well: the cheapest change of published cells that lets the
//! protected cell take its value is what is withheld, one cell after another (Kelly, Golden and Assad, *Cell suppression:
//! disclosure protection for sensitive tabular data*, Networks 22, 1992; Robertson, *Cell suppression at Statistics
//! Canada*, 1993; the requirement as in Fischetti and Salazar, *Solving the cell suppression problem on tabular data
//! with linear constraints*, Management Science 47, 2001).
//!
//! Not covered: what can be concluded from the choice of secondary cells by someone who runs the same program over all
//! tables that are possible; cells that no table declares (the overlap of two filters, say), beyond the cells beside a
//! filter; several units that put together what each knows; earlier snapshots.
//!
//! | where | what |
//! | --- | --- |
//! | `shape` | the cells of all tables, and how they add up |
//! | `layer` | the counts, or one measure's sums, of all cells: what they are, and how far each is to be protected |
//! | `linear`, `simplex` | the linear programs |
//! | `witness` | other tables that agree with what is published, checked exactly |
//! | `audit` | the search for witnesses, and what is withheld where there is none |

mod audit;
mod error;
mod layer;
mod linear;
mod shape;
mod simplex;
mod witness;

#[cfg(test)]
mod tests;

pub use error::SuppressionError;
pub use layer::{Figure, Rules};
pub use shape::{Predicate, Shape, Table};

/// Most cells of all tables of a dataset together, margins among them.
pub const MOST_CELLS: usize = 1_000;

/// Which cells of a shape are withheld.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pattern {
    withheld: Vec<bool>,
}

impl Pattern {
    /// The pattern that was chosen before for the same cells, by whether each is withheld.
    pub fn chosen(withheld: Vec<bool>) -> Self {
        Self { withheld }
    }

    /// Whether the cell of this index is withheld; so is one that does not exist.
    pub fn withheld(&self, cell: usize) -> bool {
        self.withheld.get(cell).copied().unwrap_or(true)
    }
}

/// Decides which cells are withheld. `figures` are those of each cell in the order of [`Shape::cells`], each the rows
/// first and then every measure's sum; the same figures give the same pattern.
pub fn solve(shape: &Shape, figures: &[Vec<Figure>], rules: &Rules) -> Result<Pattern, SuppressionError> {
    let layers = layer::layers(shape, figures, rules)?;
    let mut withheld: Vec<bool> = (0..shape.cells().len()).map(|cell| !shape.published(cell)).collect();
    for layer in &layers {
        for (cell, withheld) in withheld.iter_mut().enumerate() {
            *withheld |= layer.primary(cell);
        }
    }
    for layer in &layers {
        audit::protect(shape, layer, &mut withheld)?;
    }
    Ok(Pattern { withheld })
}
