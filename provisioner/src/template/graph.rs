//! Order along dependencies. Knows only numbers: node `i` needs the nodes `edges[i]`.

/// How many cycles are told: one who mends them will look again.
const MAX_CYCLES: usize = 10;

/// A graph in order.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Sorted {
    /// Every node that is in no cycle and needs none, after all that it needs, otherwise in the given order.
    pub order: Vec<usize>,
    /// A path round each cycle, first node not repeated at the end; at most `MAX_CYCLES` of them.
    pub cycles: Vec<Vec<usize>>,
}

#[derive(Clone, Copy, PartialEq)]
enum Mark {
    New,
    /// On the path that is walked.
    Open,
    Done,
    /// In a cycle, or needs one.
    Stuck,
}

/// Sorts by depth first, without recursion: a chain may be as long as the template.
pub(super) fn sort(edges: &[Vec<usize>]) -> Sorted {
    let mut marks = vec![Mark::New; edges.len()];
    let mut sorted = Sorted { order: Vec::new(), cycles: Vec::new() };
    for start in 0..edges.len() {
        if marks[start] == Mark::New {
            walk(start, edges, &mut marks, &mut sorted);
        }
    }
    sorted
}

fn walk(start: usize, edges: &[Vec<usize>], marks: &mut [Mark], sorted: &mut Sorted) {
    // Each step of the path: a node, the number of its edges already followed, and whether one led into a cycle.
    let mut path = vec![(start, 0, false)];
    marks[start] = Mark::Open;
    while let Some((node, followed, stuck)) = path.last_mut() {
        let node = *node;
        let Some(&next) = edges[node].get(*followed) else {
            let stuck = *stuck;
            marks[node] = if stuck { Mark::Stuck } else { Mark::Done };
            path.pop();
            match path.last_mut() {
                _ if !stuck => sorted.order.push(node),
                Some(user) => user.2 = true,
                None => {}
            }
            continue;
        };
        *followed += 1;
        match marks[next] {
            Mark::New => {
                marks[next] = Mark::Open;
                path.push((next, 0, false));
            }
            Mark::Open => {
                *stuck = true;
                if sorted.cycles.len() < MAX_CYCLES {
                    let on_cycle = path.iter().skip_while(|(node, ..)| *node != next);
                    sorted.cycles.push(on_cycle.map(|(node, ..)| *node).collect());
                }
            }
            Mark::Stuck => *stuck = true,
            Mark::Done => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use proptest::test_runner::RngSeed;

    #[test]
    fn what_is_needed_comes_first() {
        let sorted = sort(&[vec![2], vec![], vec![1]]);
        assert_eq!((sorted.order, sorted.cycles), (vec![1, 2, 0], vec![]));
    }

    #[test]
    fn a_cycle_shows_its_path_and_takes_its_users_out() {
        let sorted = sort(&[vec![1], vec![2], vec![1], vec![]]);
        assert_eq!((sorted.order, sorted.cycles), (vec![3], vec![vec![1, 2]]));
        assert_eq!(sort(&[vec![0]]).cycles, [vec![0]]);
    }

    #[test]
    fn a_long_chain_needs_no_stack() {
        let edges: Vec<Vec<usize>> = (0..200_000).map(|i| if i < 199_999 { vec![i + 1] } else { vec![] }).collect();
        assert_eq!(sort(&edges).order.len(), 200_000);
    }

    proptest! {
        #![proptest_config(ProptestConfig {
            failure_persistence: None,
            rng_seed: RngSeed::Fixed(1),
            ..ProptestConfig::default()
        })]

        #[test]
        fn every_node_comes_after_what_it_needs(edges in prop::collection::vec(prop::collection::vec(0usize..20, 0..4), 20)) {
            let sorted = sort(&edges);
            let place = |node: usize| sorted.order.iter().position(|other| *other == node);
            for node in &sorted.order {
                for needed in &edges[*node] {
                    prop_assert!(place(*needed).unwrap() < place(*node).unwrap());
                }
            }
            for cycle in &sorted.cycles {
                for (i, node) in cycle.iter().enumerate() {
                    prop_assert!(edges[*node].contains(&cycle[(i + 1) % cycle.len()]));
                }
            }
            prop_assert!(sorted.order.len() == 20 || !sorted.cycles.is_empty());
        }
    }
}
