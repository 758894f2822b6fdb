//! Grouped, stratified cross-validation: which fold each pair is held out in.

use std::collections::BTreeMap;

use mixed_feelings::layers::NoiseSource;

use super::learn::shuffle;

/// The fold of each row, below `folds`. Rows of one group stay together, and every fold gets about the same number of
/// rows of each class: the groups are dealt out in random order, the large ones first, each to the fold that lacks most
/// of what it holds (as scikit-learn's `StratifiedGroupKFold`).
pub fn assign(rows: &[(&str, usize)], classes: usize, folds: usize, noise: &NoiseSource) -> Vec<usize> {
    let mut groups: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for (row, (group, _)) in rows.iter().enumerate() {
        groups.entry(group).or_default().push(row);
    }
    let mut groups: Vec<Vec<usize>> = groups.into_values().collect();
    shuffle(&mut groups, noise);
    groups.sort_by_key(|group| std::cmp::Reverse(group.len()));
    let mut total = vec![0f64; classes];
    rows.iter().for_each(|(_, class)| total[*class] += 1.0);
    let mut counts = vec![vec![0f64; classes]; folds];
    let mut fold_of = vec![0; rows.len()];
    for group in groups {
        let mut held = vec![0f64; classes];
        group.iter().for_each(|&row| held[rows[row].1] += 1.0);
        // How full a fold is of the classes that the group holds; a tie goes to the fold with fewer rows.
        let fullness = |counts: &[f64]| -> (f64, f64) {
            let of_held = counts.iter().zip(&held).zip(&total).map(|((c, h), t)| c * h / t.max(1.0));
            (of_held.sum(), counts.iter().sum())
        };
        let emptiest = (0..folds).min_by(|&a, &b| {
            let (a, b) = (fullness(&counts[a]), fullness(&counts[b]));
            a.0.total_cmp(&b.0).then(a.1.total_cmp(&b.1))
        });
        let fold = emptiest.unwrap_or(0);
        counts[fold].iter_mut().zip(&held).for_each(|(count, held)| *count += held);
        group.into_iter().for_each(|row| fold_of[row] = fold);
    }
    fold_of
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_stay_together_and_classes_are_shared_out() {
        // 400 rows in groups of one to four, three classes of very different size.
        let names: Vec<String> = (0..160).map(|g| format!("g{g}")).collect();
        let rows: Vec<(&str, usize)> = (0..160)
            .flat_map(|g| (0..1 + g % 4).map(move |i| (g, i)))
            .map(|(g, i)| (names[g].as_str(), [0, 0, 0, 0, 0, 1, 1, 1, 2][(g * 7 + i) % 9]))
            .collect();
        let folds = assign(&rows, 3, 5, &NoiseSource::new(1));
        for (i, a) in rows.iter().enumerate() {
            for (j, b) in rows.iter().enumerate() {
                assert!(a.0 != b.0 || folds[i] == folds[j], "{} straddles", a.0);
            }
        }
        for class in 0..3 {
            let count = |fold| (0..rows.len()).filter(|&r| folds[r] == fold && rows[r].1 == class).count();
            let counts: Vec<usize> = (0..5).map(count).collect();
            let (low, high) = (counts.iter().min().unwrap(), counts.iter().max().unwrap());
            assert!(high - low <= 4, "class {class}: {counts:?}");
        }
        assert_eq!(folds, assign(&rows, 3, 5, &NoiseSource::new(1)));
        assert_ne!(folds, assign(&rows, 3, 5, &NoiseSource::new(2)));
    }
}
