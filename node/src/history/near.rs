//! How a count of near pairs is written: the number, then the texts with their lengths.

use super::NearCount;

/// The pairs, the caller, the dataset and, unless there is none, the agreement.
pub(super) fn to_bytes(count: &NearCount) -> Vec<u8> {
    let mut value = count.pairs.to_le_bytes().to_vec();
    for text in [Some(&count.caller), Some(&count.dataset), count.agreement.as_ref()].into_iter().flatten() {
        value.extend((text.len() as u64).to_le_bytes());
        value.extend(text.as_bytes());
    }
    value
}

/// Reads what [`to_bytes`] wrote.
pub(super) fn from_bytes(mut value: &[u8]) -> Option<NearCount> {
    let pairs = take_number(&mut value)?;
    let (caller, dataset) = (take_text(&mut value)?, take_text(&mut value)?);
    let agreement = if value.is_empty() { None } else { Some(take_text(&mut value)?) };
    Some(NearCount { caller, agreement, dataset, pairs })
}

fn take_number(value: &mut &[u8]) -> Option<u64> {
    let (number, rest) = value.split_first_chunk()?;
    *value = rest;
    Some(u64::from_le_bytes(*number))
}

fn take_text(value: &mut &[u8]) -> Option<String> {
    let length = usize::try_from(take_number(value)?).ok()?;
    let (text, rest) = value.split_at_checked(length)?;
    *value = rest;
    String::from_utf8(text.to_vec()).ok()
}
