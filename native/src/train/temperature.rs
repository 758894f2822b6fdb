//! Calibration of a head's scores by one temperature (Guo et al. 2017).

use mixed_feelings::model::Temperatures;

/// The range that is searched.
const BOUNDS: (f64, f64) = (0.05, 20.0);

/// A head's logits, and the class that would have been right.
pub type Said = (Vec<f32>, usize);

/// What each head said of the rows that have its label.
#[derive(Clone, Debug, Default)]
pub struct Heads {
    /// The text head, on `text_label`.
    pub text: Vec<Said>,
    /// The image head, on `image_label`.
    pub image: Vec<Said>,
    /// The fused head, on `label`.
    pub fused: Vec<Said>,
}

impl Heads {
    /// The temperature of each head.
    pub fn temperatures(&self) -> Temperatures {
        Temperatures { text: fit(&self.text), image: fit(&self.image), fused: fit(&self.fused) }
    }
}

/// The temperature under which the rows are most likely; 1 without rows. In 1/T the loss is convex, so in log T it has
/// one valley, which a golden-section search (Kiefer 1953) closes in on.
fn fit(rows: &[Said]) -> f32 {
    if rows.is_empty() {
        return 1.0;
    }
    let golden = (5f64.sqrt() - 1.0) / 2.0;
    let (mut low, mut high) = (BOUNDS.0.ln(), BOUNDS.1.ln());
    while high - low > 1e-4 {
        let (left, right) = (high - golden * (high - low), low + golden * (high - low));
        // Where both ends are alike, such as when every row is right by far, the colder one is nearer to the truth.
        if loss(rows, left.exp()) <= loss(rows, right.exp()) {
            high = right;
        } else {
            low = left;
        }
    }
    ((low + high) / 2.0).exp() as f32
}

/// The mean negative log-likelihood.
fn loss(rows: &[Said], temperature: f64) -> f64 {
    let row = |(logits, label): &Said| {
        let scaled = || logits.iter().map(|&logit| f64::from(logit) / temperature);
        let max = scaled().fold(f64::NEG_INFINITY, f64::max);
        max + scaled().map(|x| (x - max).exp()).sum::<f64>().ln() - f64::from(logits[*label]) / temperature
    };
    rows.iter().map(row).sum::<f64>() / rows.len() as f64
}

#[cfg(test)]
mod tests {
    use mixed_feelings::{Labels, Scores};

    use super::*;

    /// Rows of which each class is as frequent as the softmax of these logits says.
    fn calibrated(logits: [f32; 3]) -> impl Iterator<Item = Said> {
        let scores = Scores::at_temperature(&Labels::sentiment(), &logits, 1.0);
        (0..3).flat_map(move |label| {
            let times = (1000.0 * scores.probabilities()[label]).round() as usize;
            std::iter::repeat_n((logits.to_vec(), label), times)
        })
    }

    #[test]
    fn the_temperature_that_was_put_in_is_found() {
        for temperature in [0.3f32, 1.0, 2.5] {
            let rows: Vec<Said> = [[0.1, 1.2, -0.4], [2.0, 0.0, 0.5], [-1.0, 0.3, 0.2]]
                .into_iter()
                .flat_map(calibrated)
                .map(|(logits, label)| (logits.iter().map(|logit| logit * temperature).collect(), label))
                .collect();
            let found = fit(&rows);
            assert!((found / temperature - 1.0).abs() < 0.02, "{found} for {temperature}");
        }
    }

    /// The minimum that scipy's `minimize_scalar` finds of the same loss.
    #[test]
    fn agrees_with_scipy() {
        let rows = [
            ([0.5, -1.0, 2.0].to_vec(), 1),
            ([0.0, 0.0, 1.0].to_vec(), 2),
            ([1.5, 0.2, -0.7].to_vec(), 0),
            ([-0.4, 0.9, 0.1].to_vec(), 2),
            ([0.3, 1.1, -2.0].to_vec(), 1),
        ];
        let found = fit(&rows);
        assert!((found - 2.756_096).abs() < 1e-3, "{found}");
        assert!((loss(&rows, found.into()) - 1.044_711_396).abs() < 1e-8);
    }

    #[test]
    fn the_ends_are_kept() {
        let always_right = [([1.0, 0.0, 0.0].to_vec(), 0)];
        assert!((0.05..0.051).contains(&fit(&always_right)));
        let always_wrong = [([1.0, 0.0, 0.0].to_vec(), 2)];
        assert!((19.9..=20.0).contains(&fit(&always_wrong)));
        assert_eq!(Heads::default().temperatures(), Temperatures::default());
    }

    #[test]
    fn the_loss_is_that_of_the_scores() {
        let rows = [([0.5, -1.0, 2.0].to_vec(), 1), ([0.0, 0.0, 1.0].to_vec(), 2)];
        let by_scores: f64 = rows
            .iter()
            .map(|(logits, label)| {
                let scores = Scores::at_temperature(&Labels::sentiment(), logits, 1.7);
                -f64::from(scores.probabilities()[*label]).ln()
            })
            .sum();
        assert!((loss(&rows, 1.7) - by_scores / 2.0).abs() < 1e-6);
    }
}
