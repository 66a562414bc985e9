//! The Merkle tree of the log (RFC 6962) as tlog-tiles cut it: the open tile of each level in memory, full ones in files.

use std::path::PathBuf;

use tlog_tiles::{EMPTY_HASH, Error, HASH_SIZE, Hash, HashReader, Tile, TileReader, tree_hash};

/// Levels of the tree in one tile, as C2SP's tlog-tiles have it.
pub(super) const HEIGHT: u8 = 8;
/// Hashes of a full tile, and records of a full bundle.
pub(super) const WIDTH: u64 = 256;

/// The tree while it grows.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Tree {
    /// Number of records.
    size: u64,
    /// By level of tiles, the hashes of the last tile where that is not full.
    edge: Vec<Vec<Hash>>,
}

impl Tree {
    /// A tree of this size whose last tiles are these.
    pub(super) fn new(size: u64, edge: Vec<Vec<Hash>>) -> Self {
        Self { size, edge }
    }

    pub(super) fn size(&self) -> u64 {
        self.size
    }

    pub(super) fn edge(&self) -> &[Vec<Hash>] {
        &self.edge
    }

    /// Appends the hash of a record; tiles that it completes are handed to `full`.
    pub(super) fn push(&mut self, leaf: Hash, full: &mut Vec<(Tile, Vec<u8>)>) {
        let mut hash = leaf;
        let mut count = self.size + 1;
        self.size = count;
        for level in 0.. {
            if self.edge.len() <= usize::from(level) {
                self.edge.push(Vec::new());
            }
            let Some(tile) = self.edge.get_mut(usize::from(level)) else { return };
            tile.push(hash);
            if (tile.len() as u64) < WIDTH {
                return;
            }
            count /= WIDTH;
            let data = bytes(tile);
            tile.clear();
            hash = Tile::subtree_hash(&data);
            full.push((Tile::new(HEIGHT, level, count - 1, 1 << HEIGHT, false), data));
        }
    }

    /// The root.
    pub(super) fn root(&self) -> Result<Hash, Error> {
        if self.size == 0 { Ok(EMPTY_HASH) } else { tree_hash(self.size, self) }
    }

    /// The open tiles: those of the right edge that are not full.
    pub(super) fn open(&self) -> Vec<(Tile, Vec<u8>)> {
        let levels = (0..).zip(&self.edge).filter(|(_, hashes)| !hashes.is_empty());
        let tile = |(level, hashes): (u8, &Vec<Hash>)| {
            let width = u32::try_from(hashes.len()).unwrap_or(1);
            let before = self.size.checked_shr(u32::from(HEIGHT) * (u32::from(level) + 1)).unwrap_or(0);
            (Tile::new(HEIGHT, level, before, width, false), bytes(hashes))
        };
        levels.map(tile).collect()
    }

    /// The first hashes of the open tile at this place, if it is that one.
    fn open_tile(&self, tile: &Tile) -> Option<Vec<u8>> {
        let level = u32::from(tile.level());
        let before = self.size.checked_shr(u32::from(HEIGHT) * (level + 1)).unwrap_or(0);
        let hashes = self.edge.get(usize::from(tile.level())).filter(|_| tile.level_index() == before)?;
        hashes.get(..usize::try_from(tile.width()).ok()?).map(bytes)
    }
}

/// What the edge alone can tell, which is enough for the root.
impl HashReader for Tree {
    fn read_hashes(&self, indexes: &[u64]) -> Result<Vec<Hash>, Error> {
        read(indexes, |tile| self.open_tile(tile).ok_or(Error::InvalidTile))
    }
}

/// A tree together with the files that hold its full tiles.
pub(super) struct Stored<'a, F> {
    pub(super) tree: &'a Tree,
    /// Full tiles that are in no file yet.
    pub(super) pending: F,
    pub(super) folder: PathBuf,
}

impl<F: Fn(&Tile) -> Option<Vec<u8>>> HashReader for Stored<'_, F> {
    fn read_hashes(&self, indexes: &[u64]) -> Result<Vec<Hash>, Error> {
        read(indexes, |tile| {
            if let Some(data) = self.tree.open_tile(tile) {
                return Ok(data);
            }
            let full = Tile::new(HEIGHT, tile.level(), tile.level_index(), 1 << HEIGHT, false);
            match (self.pending)(&full) {
                Some(data) => Ok(data),
                None => super::tiles::read(&self.folder, &full),
            }
        })
    }
}

/// The tiles of a folder, as a reader who trusts none of them sees them.
pub(super) struct OnDisk(pub(super) PathBuf);

impl TileReader for OnDisk {
    fn height(&self) -> u8 {
        HEIGHT
    }

    fn read_tiles(&self, tiles: &[Tile]) -> Result<Vec<Vec<u8>>, Error> {
        tiles.iter().map(|tile| super::tiles::read(&self.0, tile)).collect()
    }

    fn save_tiles(&self, _: &[Tile], _: &[Vec<u8>]) {}
}

fn read(indexes: &[u64], data: impl Fn(&Tile) -> Result<Vec<u8>, Error>) -> Result<Vec<Hash>, Error> {
    let hash = |index: &u64| {
        let tile = Tile::from_index(HEIGHT, *index);
        tile.hash_at_index(&data(&tile)?, *index)
    };
    indexes.iter().map(hash).collect()
}

/// Hashes one behind the other, as a tile's file has them.
pub(super) fn bytes(hashes: &[Hash]) -> Vec<u8> {
    hashes.iter().flat_map(|hash| hash.0).collect()
}

/// The hashes of a tile's file.
pub(super) fn hashes(data: &[u8]) -> Vec<Hash> {
    data.as_chunks::<HASH_SIZE>().0.iter().map(|hash| Hash(*hash)).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]
    use std::collections::HashMap;

    use tlog_tiles::{check_record, check_tree, node_hash, prove_record, prove_tree, record_hash};

    use super::*;

    /// RFC 6962, section 2.1, word by word.
    fn naive(leaves: &[Hash]) -> Hash {
        match leaves {
            [] => EMPTY_HASH,
            [one] => *one,
            _ => {
                let half = leaves.len().next_power_of_two() / 2;
                node_hash(naive(&leaves[..half]), naive(&leaves[half..]))
            }
        }
    }

    #[test]
    fn roots_and_proofs_are_those_of_the_standard() {
        let leaves: Vec<Hash> = (0..70_000u32).map(|n| record_hash(&n.to_be_bytes())).collect();
        let (mut tree, mut full) = (Tree::default(), Vec::new());
        let mut roots = HashMap::new();
        let sizes = [1u64, 2, 3, 255, 256, 257, 511, 512, 700, 65_535, 65_536, 65_537, 69_999, 70_000];
        for leaf in &leaves {
            tree.push(*leaf, &mut full);
            if sizes.contains(&tree.size()) {
                let count = usize::try_from(tree.size()).unwrap();
                assert_eq!(tree.root().unwrap(), naive(&leaves[..count]), "{count}");
                roots.insert(tree.size(), tree.root().unwrap());
            }
        }
        let full: HashMap<Tile, Vec<u8>> = full.into_iter().collect();
        let stored = Stored { tree: &tree, pending: |tile: &Tile| full.get(tile).cloned(), folder: PathBuf::new() };
        let (size, root) = (tree.size(), tree.root().unwrap());
        for index in [0, 1, 255, 256, 65_535, 65_536, 69_999] {
            let proof = prove_record(size, index, &stored).unwrap();
            check_record(&proof, size, root, index, leaves[usize::try_from(index).unwrap()]).unwrap();
            assert!(check_record(&proof, size, root, index, Hash([1; 32])).is_err());
        }
        for (old, old_root) in roots {
            let proof = prove_tree(size, old, &stored).unwrap();
            check_tree(&proof, size, root, old, old_root).unwrap();
            assert!(check_tree(&proof, size, root, old, Hash([1; 32])).is_err() || old == size);
        }
    }
}
