//! Learning from a few labelled posts: what is added to the last layer of a head so that it agrees with them.
//!
//! A head gives the logits `z = W x + b`. What is learned is a shift of them, `D (x - m) / s + d`, where `m` is the mean of the
//! features and `s` their spread. `D` and `d` are those for which the sum of the cross-entropies of the examples and
//! of `|D|^2 / 2 p` and `|d|^2 / 2 q` is least: a ridge toward the shipped head, which stays what it is where the examples
//! say nothing. With few examples of many features that is a system of as many unknowns as there are examples: `f = K a`,
//! `K` being the examples' kernel `p (x - m)(x' - m) / s^2 + q`.
//!
//! Where there are anchors, posts of the kind that the head was made for, they are learned beside the examples with what the
//! shipped head says of them: so it keeps what it knows. Without them a profile cost up to three points on such posts.
//!
//! The curvature of the softmax is at most that of `1/2 I` (Böhning 1992), so each step solves the same system, factored once,
//! and none makes the sum larger: no step length, and nothing that could fail to converge or leave the numbers. All of it
//! is IEEE basic operations in a fixed order, so every engine learns the same bits.

use super::explain::Dense;
use crate::backend::cpu::math::{dot, exp, ln, softmax};

/// The prior variance of the weights' share in a logit, for a post as far from the mean as most are. Chosen on comments
/// (GoEmotions); `mixed-feelings learn --simulate` measures it.
const WEIGHT_VARIANCE: f64 = 0.7;
/// The prior variance of the bias. It is small because a bias moves all posts, those like no example too.
const BIAS_VARIANCE: f64 = 0.003;
/// What an anchor counts beside an example.
const ANCHOR_WEIGHT: f64 = 8.0;
/// How much of the shift may be taken. What suits the examples that were left out best is.
const STRENGTHS: [f32; 5] = [1.0, 0.75, 0.5, 0.25, 0.0];
/// Parts of the examples that are left out one after the other; of fewer examples, each is one.
const FOLDS: usize = 10;
/// Features and logits are smaller by far.
const LARGEST: f32 = 1e6;
/// Steps of the fit; the sum is at its least to four digits by then.
const STEPS: usize = 60;

/// What a head sees of a post, and what it ought to say.
#[derive(Clone, Debug, PartialEq)]
pub struct Lesson {
    /// What the head's last layer reads.
    pub features: Vec<f32>,
    /// What it says, in units of its temperature.
    pub logits: Vec<f32>,
    /// What it is; an anchor is what the head says.
    pub class: Option<usize>,
}

/// What was learned for a head.
#[derive(Clone, Debug)]
pub struct Learned {
    /// What is added to the head's weights and bias, in units of its temperature.
    pub shift: Dense,
    /// How much of what the examples teach was taken, from 0 to 1.
    pub strength: f32,
    /// Examples that the shipped head reads rightly.
    pub before: usize,
    /// Examples that are read rightly by a head that has learned from the others.
    pub after: usize,
}

/// Learns from `lessons`, anchors among them, whose features are all of one length, and whose classes are below the number of
/// logits. `None` if they are not, or there is no example.
pub fn learn(lessons: &[Lesson]) -> Option<Learned> {
    let first = lessons.first()?;
    let (inputs, labels) = (first.features.len(), first.logits.len());
    let sound = |lesson: &Lesson| {
        let numbers = lesson.features.iter().chain(&lesson.logits);
        lesson.features.len() == inputs
            && lesson.logits.len() == labels
            && lesson.class.is_none_or(|class| class < labels)
            && numbers.into_iter().all(|x| x.abs() < LARGEST)
    };
    if !lessons.iter().all(sound) || lessons.iter().all(|lesson| lesson.class.is_none()) {
        return None;
    }
    let frame = Frame::of(lessons, inputs);
    let system = System { lessons, kernel: frame.kernel(), weights: weights(lessons, labels) };
    let left_out = system.left_out();
    let strength = system.best_strength(&left_out);
    let right = |strength: f32| {
        let right =
            |(lesson, shift): &(&Lesson, &Vec<f64>)| lesson.class == Some(predicted(lesson, shift, strength));
        lessons.iter().zip(&left_out).filter(right).count()
    };
    let all: Vec<usize> = (0..lessons.len()).collect();
    Some(Learned {
        shift: frame.primal(&system.fit(&all), labels, f64::from(strength)),
        strength,
        before: right(0.0),
        after: right(strength),
    })
}

/// Where the features lie.
struct Frame {
    mean: Vec<f32>,
    /// `(x - mean) / spread` of each.
    rows: Vec<Vec<f32>>,
    spread: f32,
}

impl Frame {
    fn of(lessons: &[Lesson], inputs: usize) -> Frame {
        let count = lessons.len().max(1) as f32;
        let mut mean = vec![0.0f32; inputs];
        for lesson in lessons {
            mean.iter_mut().zip(&lesson.features).for_each(|(mean, x)| *mean += x / count);
        }
        let centred = |lesson: &Lesson| -> Vec<f32> {
            lesson.features.iter().zip(&mean).map(|(x, mean)| x - mean).collect()
        };
        let mut rows: Vec<Vec<f32>> = lessons.iter().map(centred).collect();
        let squares: f32 = rows.iter().map(|row| dot(row, row)).sum();
        // Of one example, or of the same one many times, only the bias is learned.
        let spread = (squares / count).sqrt().max(f32::MIN_POSITIVE.sqrt());
        rows.iter_mut().flatten().for_each(|x| *x /= spread);
        Frame { mean, rows, spread }
    }

    fn kernel(&self) -> Vec<Vec<f64>> {
        let entry = |a: &Vec<f32>, b: &Vec<f32>| WEIGHT_VARIANCE * f64::from(dot(a, b)) + BIAS_VARIANCE;
        self.rows.iter().map(|a| self.rows.iter().map(|b| entry(a, b)).collect()).collect()
    }

    /// The weights and biases of a shift of the logits: `duals` has a row for each label.
    fn primal(&self, duals: &[Vec<f64>], labels: usize, strength: f64) -> Dense {
        let inputs = self.mean.len();
        let (mut weight, mut bias) = (Vec::with_capacity(labels * inputs), Vec::with_capacity(labels));
        for duals in duals {
            let mut row = vec![0.0f64; inputs];
            for (dual, x) in duals.iter().zip(&self.rows) {
                row.iter_mut().zip(x).for_each(|(sum, &x)| *sum += dual * f64::from(x));
            }
            let factor = strength * WEIGHT_VARIANCE / f64::from(self.spread);
            row.iter_mut().for_each(|x| *x *= factor);
            let at_mean: f64 = row.iter().zip(&self.mean).map(|(w, &m)| w * f64::from(m)).sum();
            bias.push((strength * BIAS_VARIANCE * duals.iter().sum::<f64>() - at_mean) as f32);
            weight.extend(row.into_iter().map(|x| x as f32));
        }
        Dense { weight, bias }
    }
}

/// What each counts: a label's examples together as much as another's, so that a label does not become likelier
/// because somebody had more examples of it. None counts more than three.
fn weights(lessons: &[Lesson], labels: usize) -> Vec<f64> {
    let mut counts = vec![0usize; labels];
    for class in lessons.iter().filter_map(|lesson| lesson.class) {
        if let Some(count) = counts.get_mut(class) {
            *count += 1;
        }
    }
    let present = counts.iter().filter(|&&count| count > 0).count().max(1);
    let even = counts.iter().sum::<usize>() as f64 / present as f64;
    let weight = |class: usize| (even / counts.get(class).map_or(1.0, |&count| count as f64)).min(3.0);
    lessons.iter().map(|lesson| lesson.class.map_or(ANCHOR_WEIGHT, weight)).collect()
}

/// What is solved, for all lessons or some of them.
struct System<'a> {
    lessons: &'a [Lesson],
    kernel: Vec<Vec<f64>>,
    weights: Vec<f64>,
}

impl System<'_> {
    /// The shift of each example's logits by what the lessons outside of its part teach; of anchors, nothing.
    fn left_out(&self) -> Vec<Vec<f64>> {
        let labels = self.lessons.first().map_or(0, |lesson| lesson.logits.len());
        let mut shifts = vec![vec![0.0; labels]; self.lessons.len()];
        // In the order of their classes, so that each part has some of each.
        let mut order: Vec<(usize, usize)> = self
            .lessons
            .iter()
            .enumerate()
            .filter_map(|(i, lesson)| lesson.class.map(|class| (class, i)))
            .collect();
        order.sort_unstable();
        let folds = FOLDS.min(order.len());
        for fold in 0..folds {
            let out: Vec<usize> = order.iter().skip(fold).step_by(folds).map(|&(_, i)| i).collect();
            let rest: Vec<usize> = (0..self.lessons.len()).filter(|i| !out.contains(i)).collect();
            let duals = self.fit(&rest);
            for i in out {
                let (Some(row), Some(shift)) = (self.kernel.get(i), shifts.get_mut(i)) else { continue };
                for (shift, duals) in shift.iter_mut().zip(&duals) {
                    *shift = rest.iter().zip(duals).map(|(&j, dual)| row.get(j).unwrap_or(&0.0) * dual).sum();
                }
            }
        }
        shifts
    }

    /// The strength at which the examples that were left out are the likeliest.
    fn best_strength(&self, left_out: &[Vec<f64>]) -> f32 {
        let loss = |strength: f32| -> f64 {
            let each = self.lessons.iter().zip(left_out).zip(&self.weights);
            each.filter_map(|((lesson, shift), weight)| {
                Some(weight * cross_entropy(&moved(lesson, shift, strength), lesson.class?))
            })
            .sum()
        };
        let losses = STRENGTHS.into_iter().map(|strength| (strength, loss(strength)));
        let best = losses.reduce(|best, next| if next.1 < best.1 { next } else { best });
        best.map_or(0.0, |(strength, _)| strength)
    }

    /// The duals of a fit to `chosen` of the lessons: a row for each label, a number for each of them.
    fn fit(&self, chosen: &[usize]) -> Vec<Vec<f64>> {
        let of = |row: &Vec<f64>| chosen.iter().filter_map(|&j| row.get(j).copied()).collect();
        let kernel: Vec<Vec<f64>> = chosen.iter().filter_map(|&i| self.kernel.get(i)).map(of).collect();
        let lessons: Vec<&Lesson> = chosen.iter().filter_map(|&i| self.lessons.get(i)).collect();
        let targets: Vec<Vec<f32>> = lessons.iter().map(|lesson| lesson.target()).collect();
        let mut system = kernel.clone();
        for (i, (row, &chosen)) in system.iter_mut().zip(chosen).enumerate() {
            if let (Some(diagonal), Some(&weight)) = (row.get_mut(i), self.weights.get(chosen)) {
                *diagonal += 2.0 / weight;
            }
        }
        let factor = cholesky(system);
        let labels = lessons.first().map_or(0, |lesson| lesson.logits.len());
        let mut shifts = vec![vec![0.0f64; lessons.len()]; labels];
        let mut duals = shifts.clone();
        for _ in 0..STEPS {
            let mut wanted = shifts.clone();
            for (i, (lesson, target)) in lessons.iter().zip(&targets).enumerate() {
                let at = |row: &Vec<f64>| row.get(i).copied().unwrap_or_default();
                let logits: Vec<f32> =
                    lesson.logits.iter().zip(&shifts).map(|(z, row)| z + at(row) as f32).collect();
                for ((row, p), target) in wanted.iter_mut().zip(softmax(&logits, 1.0)).zip(target) {
                    if let Some(wanted) = row.get_mut(i) {
                        *wanted -= 2.0 * f64::from(p - target);
                    }
                }
            }
            for ((duals, shifts), wanted) in duals.iter_mut().zip(&mut shifts).zip(wanted) {
                *duals = solve(&factor, wanted);
                for (shift, row) in shifts.iter_mut().zip(&kernel) {
                    *shift = row.iter().zip(duals.iter()).map(|(k, dual)| k * dual).sum();
                }
            }
        }
        duals
    }
}

impl Lesson {
    /// The probabilities that it ought to have.
    fn target(&self) -> Vec<f32> {
        match self.class {
            Some(class) => (0..self.logits.len()).map(|i| if i == class { 1.0 } else { 0.0 }).collect(),
            None => softmax(&self.logits, 1.0),
        }
    }
}

fn moved(lesson: &Lesson, shift: &[f64], strength: f32) -> Vec<f32> {
    lesson.logits.iter().zip(shift).map(|(z, &shift)| z + strength * shift as f32).collect()
}

fn predicted(lesson: &Lesson, shift: &[f64], strength: f32) -> usize {
    let moved = moved(lesson, shift, strength).into_iter().enumerate();
    moved.reduce(|best, next| if next.1 > best.1 { next } else { best }).map_or(0, |(class, _)| class)
}

fn cross_entropy(logits: &[f32], class: usize) -> f64 {
    let largest = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let sum: f32 = logits.iter().map(|z| exp(z - largest)).fold(0.0, |sum, x| sum + x);
    f64::from(ln(sum) + largest - logits.get(class).copied().unwrap_or(largest))
}

/// The lower factor `L` of a positive definite matrix `L L^T`, row by row up to the diagonal.
fn cholesky(matrix: Vec<Vec<f64>>) -> Vec<Vec<f64>> {
    let mut factor: Vec<Vec<f64>> = Vec::with_capacity(matrix.len());
    for row in matrix {
        let mut lower = Vec::with_capacity(factor.len() + 1);
        for (above, &x) in factor.iter().zip(&row) {
            let (&diagonal, above) = above.split_last().unwrap_or((&1.0, &[]));
            let known: f64 = above.iter().zip(&lower).map(|(a, b): (&f64, &f64)| a * b).sum();
            lower.push((x - known) / diagonal);
        }
        let known: f64 = lower.iter().map(|x| x * x).sum();
        // What is added to the diagonal is never below 2/3; only rounding could bring it near.
        lower.push((row.get(factor.len()).copied().unwrap_or(1.0) - known).max(1e-9).sqrt());
        factor.push(lower);
    }
    factor
}

/// The `x` of `L L^T x = b`.
fn solve(factor: &[Vec<f64>], b: Vec<f64>) -> Vec<f64> {
    let mut x: Vec<f64> = Vec::with_capacity(b.len());
    for (row, b) in factor.iter().zip(b) {
        let (&diagonal, row) = row.split_last().unwrap_or((&1.0, &[]));
        let known: f64 = row.iter().zip(&x).map(|(a, b)| a * b).sum();
        x.push((b - known) / diagonal);
    }
    for (i, row) in factor.iter().enumerate().rev() {
        let (&diagonal, row) = row.split_last().unwrap_or((&1.0, &[]));
        let Some(solved) = x.get_mut(i) else { continue };
        *solved /= diagonal;
        let solved = *solved;
        x.iter_mut().zip(row).for_each(|(x, a)| *x -= a * solved);
    }
    x
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Random;

    /// Features of which the first two tell the classes of three apart, and a head that is wrong about the last.
    fn lessons(each: usize, seed: u64) -> Vec<Lesson> {
        let mut random = Random::new(seed);
        (0..3 * each)
            .map(|i| {
                let class = i % 3;
                let mut features: Vec<f32> = random.around(16, 0.0).iter().map(|x| x * 10.0).collect();
                features[0] += [3.0, -3.0, -3.0][class];
                features[1] += [0.0, 3.0, -3.0][class];
                let logits = vec![[2.0, 0.0, 0.0][class], 0.5 * features[0] / -3.0, 0.0];
                Lesson { features, logits, class: Some(class) }
            })
            .collect()
    }

    fn anchors(lessons: &[Lesson]) -> impl Iterator<Item = Lesson> {
        lessons.iter().cloned().map(|lesson| Lesson { class: None, ..lesson })
    }

    fn right(lessons: &[Lesson], shift: &Dense) -> usize {
        let right = |lesson: &&Lesson| {
            let shift: Vec<f64> = shift.forward(&lesson.features).into_iter().map(f64::from).collect();
            Some(predicted(lesson, &shift, 1.0)) == lesson.class
        };
        lessons.iter().filter(right).count()
    }

    #[test]
    fn what_examples_show_is_learned_and_holds_for_others() {
        let learned = learn(&lessons(10, 1)).unwrap();
        let others = lessons(50, 2);
        let nothing = Dense { weight: vec![0.0; 48], bias: vec![0.0; 3] };
        let (before, after) = (right(&others, &nothing), right(&others, &learned.shift));
        assert!(before < 110 && after > 140, "{before} and {after} of 150");
        assert_eq!(learned.strength, 1.0);
        assert!(learned.before < 25 && learned.after == 30, "{} {}", learned.before, learned.after);
    }

    #[test]
    fn the_fit_is_where_the_gradient_vanishes() {
        let lessons = lessons(5, 3);
        let frame = Frame::of(&lessons, 16);
        let system = System { lessons: &lessons, kernel: frame.kernel(), weights: weights(&lessons, 3) };
        let all: Vec<usize> = (0..lessons.len()).collect();
        let duals = system.fit(&all);
        // There, each dual is the weighted difference of what is wanted and what is said.
        for (i, lesson) in lessons.iter().enumerate() {
            let shift: Vec<f64> =
                duals.iter().map(|row| system.kernel[i].iter().zip(row).map(|(k, d)| k * d).sum()).collect();
            let said = softmax(&moved(lesson, &shift, 1.0), 1.0);
            for (row, (said, wanted)) in duals.iter().zip(said.iter().zip(lesson.target())) {
                let expected = system.weights[i] * f64::from(wanted - said);
                assert!((row[i] - expected).abs() < 2e-3, "{} instead of {expected}", row[i]);
            }
        }
    }

    #[test]
    fn labels_that_say_nothing_move_nothing() {
        // What the head says already, once with each other label: whatever is learned of it is wrong for the next.
        let mut noise = lessons(1, 4);
        for (i, lesson) in noise.iter_mut().enumerate() {
            lesson.logits = vec![0.0; 3];
            lesson.features = vec![1.0; 16];
            lesson.class = Some(i);
        }
        let learned = learn(&noise).unwrap();
        assert_eq!(learned.strength, 0.0);
        assert!(learned.shift.weight.iter().chain(&learned.shift.bias).all(|x| *x == 0.0));
    }

    #[test]
    fn anchors_keep_what_the_head_knew() {
        let mut wrong = lessons(10, 5);
        wrong.iter_mut().for_each(|lesson| lesson.class = Some(0));
        let home = lessons(30, 6);
        let moved = |lessons: &[Lesson]| {
            let shift = learn(lessons).unwrap().shift;
            home.iter().flat_map(|lesson| shift.forward(&lesson.features)).map(|x| x.abs()).sum::<f32>()
        };
        let without = moved(&wrong);
        wrong.extend(anchors(&home));
        let with = moved(&wrong);
        assert!(with < 0.7 * without, "{with} against {without}");
    }

    #[test]
    fn the_same_examples_teach_the_same_and_odd_ones_do_no_harm() {
        let one = lessons(1, 7);
        let repeated: Vec<Lesson> = (0..60).map(|_| one[0].clone()).collect();
        let mut contradicting = lessons(4, 8);
        contradicting
            .extend(contradicting.clone().into_iter().map(|lesson| Lesson { class: Some(0), ..lesson }));
        let mut huge = lessons(4, 9);
        huge.iter_mut().for_each(|lesson| lesson.features.iter_mut().for_each(|x| *x *= 1e4));
        let mut sure = lessons(4, 9);
        sure.iter_mut().for_each(|lesson| lesson.logits.iter_mut().for_each(|x| *x *= 1e5));
        let empty: Vec<Lesson> =
            lessons(4, 9).into_iter().map(|lesson| Lesson { features: vec![], ..lesson }).collect();
        for lessons in [&one[..1], &one, &repeated, &contradicting, &huge, &sure, &empty] {
            let learned = learn(lessons).unwrap();
            assert!(learned.shift.weight.iter().chain(&learned.shift.bias).all(|x| x.is_finite()));
            assert_eq!(learned.shift, learn(lessons).unwrap().shift);
        }
        let bad = |change: fn(&mut Lesson)| {
            let mut lessons = lessons(2, 9);
            change(&mut lessons[3]);
            learn(&lessons).is_none()
        };
        assert!(
            bad(|lesson| lesson.features[1] = f32::NAN) && bad(|lesson| lesson.logits[0] = f32::INFINITY)
        );
        assert!(bad(|lesson| lesson.class = Some(3)) && bad(|lesson| lesson.features.truncate(1)));
        assert!(learn(&[]).is_none() && learn(&anchors(&one).collect::<Vec<_>>()).is_none());
    }
}
