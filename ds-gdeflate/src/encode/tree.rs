//! Binary trees: for each hash of four bytes, all earlier places in the order of the bytes that follow them.

use super::chains::Chains;
use super::matches::MatchList;
use super::token::MAX_MATCH;
use super::window::Window;
use crate::format::TILE_SIZE;

/// How many candidates are looked at, and for how long a match.
#[derive(Clone, Copy)]
pub(super) struct Search {
    /// The nearest places that share three bytes.
    pub(super) near: u32,
    /// Places in the tree.
    pub(super) depth: u32,
    /// Length from which a match is taken without looking at what comes inside it.
    pub(super) nice: usize,
    /// Places at the end of such a match that are entered into the trees. What is at the others is at its source, too,
    /// only farther back.
    pub(super) tail: usize,
}

/// A position about to become a root.
#[derive(Clone, Copy)]
struct Root {
    at: u16,
    /// The root before it.
    head: u16,
    /// Bytes compared at most.
    most: usize,
}

/// Two for each position.
pub(super) const LINKS: usize = 2 * TILE_SIZE;

/// The children of every position of a tile: first that whose bytes come before its own, then the other.
///
/// A new position becomes the root of its tree, and the search for its place is the search for its matches: the
/// longest are always near the path. Links are positions, and 0 ends a path: it may be a match, and never has
/// children. So nothing needs clearing for a new tile.
pub(super) struct Trees<'a> {
    pub(super) children: &'a mut [u16; LINKS],
}

impl Trees<'_> {
    /// Lists the matches of a whole tile; `chains` lends its tables.
    #[inline(never)]
    pub(super) fn list_matches(
        &mut self,
        chains: &mut Chains,
        window: &Window,
        search: Search,
        list: &mut MatchList<'_>,
    ) {
        chains.clear();
        let len = window.len();
        let hashed = len.saturating_sub(3);
        let mut at = 0;
        // Looked up a position ahead, since memory takes its time.
        let mut next = chains.latest(window.load32(0));
        while at < hashed {
            let here = at as u16;
            let latest = next;
            chains.follow(latest, window.load32(here), here);
            next = chains.latest(window.load32(here + 1));
            let most = search.nice.min(len - at);
            list.open(at);
            let near = chains.list_near(window, (latest.short, here), search.near, most, list);
            let root = Root { at: here, head: latest.head, most };
            let (mut longest, distance) =
                self.insert(window, root, search.depth, near, |len, distance| list.push(len, distance));
            if longest >= search.nice {
                longest = window.match_len(here - distance, here, longest).min(MAX_MATCH);
                list.push(longest, distance);
            }
            list.close(at);
            at += 1;
            if longest >= search.nice {
                let end = at - 1 + longest;
                for inside in at.max(end.saturating_sub(search.tail))..end.min(hashed) {
                    let here = inside as u16;
                    let word = window.load32(here);
                    let latest = chains.latest(word);
                    chains.follow(latest, word, here);
                    let most = search.nice.min(len - inside);
                    let root = Root { at: here, head: latest.head, most };
                    self.insert(window, root, search.depth, (most, 0), |_, _| {});
                }
                list.skip(at..end);
                at = end;
                next = chains.latest(window.load32(at as u16));
            }
        }
        list.skip(at..len);
    }

    /// Makes a position the root of its tree, and tells of matches on the path that are longer than
    /// all before. `best` is the longest match so far, length and distance; returns the same.
    #[inline(always)]
    fn insert(
        &mut self,
        window: &Window,
        Root { at, head, most }: Root,
        depth: u32,
        mut best: (usize, u16),
        mut found: impl FnMut(usize, u16),
    ) -> (usize, u16) {
        // Where the next place that comes before, or after, this one in order is to be linked.
        let (mut before, mut after) = (2 * usize::from(at), 2 * usize::from(at) + 1);
        // Bytes that all places left on that side share with this one.
        let (mut before_len, mut after_len) = (0, 0);
        let mut node = head;
        for _ in 0..depth {
            if node == 0 {
                break;
            }
            let len = window.match_len_to(node, at, before_len.min(after_len), most);
            if len > best.0 {
                best = (len, at - node);
                found(len, at - node);
            }
            let children = 2 * usize::from(node);
            if len == most {
                self.children[before % LINKS] = self.children[children];
                self.children[after % LINKS] = self.children[children + 1];
                return best;
            }
            if window.ascends(node, at, len) {
                self.children[before % LINKS] = node;
                before = children + 1;
                before_len = len;
                node = self.children[children + 1];
            } else {
                self.children[after % LINKS] = node;
                after = children;
                after_len = len;
                node = self.children[children];
            }
        }
        self.children[before % LINKS] = 0;
        self.children[after % LINKS] = 0;
        if node == 0 && at != 0 && window.load32(0) == window.load32(at) {
            let len = window.match_len_to(0, at, 0, most);
            if len > best.0 {
                best = (len, at);
                found(len, at);
            }
        }
        best
    }
}
