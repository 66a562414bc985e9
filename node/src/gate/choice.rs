//! Which agreement each dataset of a query goes by, where several are in force: tried one after the other, never joined.

/// What was chosen for the datasets of a query so far, in the order in which they were met.
#[derive(Debug, Default)]
pub(super) struct Choice(Vec<Chosen>);

#[derive(Debug)]
struct Chosen {
    dataset: String,
    at: usize,
    of: usize,
}

impl Choice {
    /// Which of `of` candidates a dataset goes by; the same one wherever the query names it.
    pub(super) fn of(&mut self, dataset: &str, of: usize) -> usize {
        if let Some(chosen) = self.0.iter().find(|chosen| chosen.dataset == dataset) {
            return chosen.at;
        }
        self.0.push(Chosen { dataset: dataset.to_owned(), at: 0, of });
        0
    }

    /// Goes on to the next combination, that of the first dataset last; false where all have been tried.
    pub(super) fn advance(&mut self) -> bool {
        while let Some(mut last) = self.0.pop() {
            last.at += 1;
            if last.at < last.of {
                self.0.push(last);
                return true;
            }
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_combination_is_tried_once_and_the_preferred_one_first() {
        let mut choice = Choice::default();
        let mut tried = Vec::new();
        loop {
            let first = choice.of("a", 2);
            tried.push((first, choice.of("b", 2 - first), choice.of("a", 2)));
            if !choice.advance() {
                break;
            }
        }
        assert_eq!(tried, [(0, 0, 0), (0, 1, 0), (1, 0, 1)]);
    }
}
