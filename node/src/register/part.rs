//! Long lists and tables in parts, so that no answer is long whatever the bodies tell; files hold all of it.

/// About the longest part (bytes).
const MOST: usize = 1 << 20;

/// Which part is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    /// Everything.
    Whole,
    /// One of them, from 1.
    Number(usize),
}

/// What is in a part.
#[derive(Debug)]
pub(super) struct Cut<T> {
    pub(super) items: Vec<T>,
    /// The number of the next one, where there is more.
    pub(super) next: Option<usize>,
}

impl Part {
    /// Whether what has no parts is meant.
    pub(super) fn is_first(self) -> bool {
        matches!(self, Self::Whole | Self::Number(1))
    }

    /// Its items; each weighs so many bytes. The first part is always there, if with nothing in it.
    pub(super) fn of<T>(self, items: impl IntoIterator<Item = T>, weight: impl Fn(&T) -> usize) -> Option<Cut<T>> {
        let Self::Number(wanted) = self else { return Some(Cut { items: items.into_iter().collect(), next: None }) };
        let (mut number, mut sum, mut taken) = (1, 0_usize, Vec::new());
        for item in items {
            let bytes = weight(&item);
            if sum > 0 && sum.saturating_add(bytes) > MOST {
                if number == wanted {
                    return Some(Cut { items: taken, next: Some(number + 1) });
                }
                (number, sum) = (number + 1, 0);
            }
            sum = sum.saturating_add(bytes);
            if number == wanted {
                taken.push(item);
            }
        }
        (number == wanted).then_some(Cut { items: taken, next: None })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn parts_are_bounded_and_hold_everything_once() {
        let items: Vec<usize> = (0..100).map(|number| (number % 7) * MOST / 10).collect();
        let (mut found, mut next) = (Vec::new(), Some(1));
        while let Some(number) = next {
            let cut = Part::Number(number).of(items.clone(), |item| *item).unwrap();
            assert!(cut.items.iter().sum::<usize>() <= MOST && !cut.items.is_empty());
            found.extend(cut.items);
            next = cut.next;
            assert!(number < 100 && next.is_none_or(|next| next == number + 1));
        }
        assert_eq!(found, items);
        let cut = |part: Part, items: &[usize]| part.of(items.to_vec(), |item| *item).map(|cut| cut.items.len());
        assert_eq!(cut(Part::Whole, &items), Some(100));
        assert_eq!((cut(Part::Number(99), &items), cut(Part::Number(0), &items)), (None, None));
        assert_eq!((cut(Part::Number(1), &[]), cut(Part::Number(2), &[])), (Some(0), None));
        assert_eq!(cut(Part::Number(2), &[MOST * 2, MOST * 2]), Some(1), "what is longer stands alone");
    }
}
