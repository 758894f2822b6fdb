//! What is learned on the device: a layer for each head, which is added to the shipped one.

use super::explain::Dense;

/// A head.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Head {
    /// The text head, which answers for a post without a picture.
    Text,
    /// The image head, which answers for a post without a text.
    Image,
    /// The fused head.
    Fused,
}

impl Head {
    /// All three.
    pub const ALL: [Head; 3] = [Head::Text, Head::Image, Head::Fused];

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Head::Text => "text",
            Head::Image => "image",
            Head::Fused => "fused",
        }
    }
}

/// What is added to the last layer of each head that has learned.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Shifts {
    /// Of the text head.
    pub text: Option<Dense>,
    /// Of the image head.
    pub image: Option<Dense>,
    /// Of the fused head.
    pub fused: Option<Dense>,
}

impl Shifts {
    /// In the order of [`Head::ALL`].
    pub fn each(&self) -> [Option<&Dense>; 3] {
        [self.text.as_ref(), self.image.as_ref(), self.fused.as_ref()]
    }

    /// Of one.
    pub fn of(&self, head: Head) -> Option<&Dense> {
        match head {
            Head::Text => self.text.as_ref(),
            Head::Image => self.image.as_ref(),
            Head::Fused => self.fused.as_ref(),
        }
    }

    /// The place of one.
    pub fn of_mut(&mut self, head: Head) -> &mut Option<Dense> {
        match head {
            Head::Text => &mut self.text,
            Head::Image => &mut self.image,
            Head::Fused => &mut self.fused,
        }
    }

    /// Whether nothing was learned.
    pub fn is_empty(&self) -> bool {
        *self == Shifts::default()
    }

    /// Whether they can be added to heads of so many labels whose last layers read so many numbers.
    pub fn fit(&self, labels: usize, inputs: [usize; 3]) -> bool {
        self.each().into_iter().zip(inputs).all(|(shift, inputs)| {
            shift.is_none_or(|shift| shift.bias.len() == labels && shift.weight.len() == labels * inputs)
        })
    }
}
