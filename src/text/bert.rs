//! BERT in candle.
