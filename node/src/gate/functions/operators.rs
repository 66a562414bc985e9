//! Operators between two expressions, each named, so that a new one does not compile unclassified.

use datafusion::logical_expr::Operator;

/// What an operator is, and so where it may stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in super::super) enum Use {
    /// AND and OR: below a release point and above, total.
    Connective,
    /// Equality of a dimension and a constant below a release point, of anything above; total.
    Equality,
    /// A range of a dimension that declares ranges below a release point, of anything above; total.
    Order,
    /// Over public input, made total: overflow, division by zero and dates out of range give NULL.
    Arithmetic,
    /// Over public input, made total: a pattern that can't be read gives NULL.
    Pattern,
    /// Over public input, total.
    Bits,
    /// Over public input, total; it makes longer texts.
    Concatenation,
    /// Nowhere: operators of types that the engine of a node doesn't have.
    Never,
}

/// How an operator is classified.
pub(in super::super) fn operator(op: Operator) -> Use {
    match op {
        Operator::And | Operator::Or => Use::Connective,
        Operator::Eq | Operator::NotEq | Operator::IsDistinctFrom | Operator::IsNotDistinctFrom => Use::Equality,
        Operator::Lt | Operator::LtEq | Operator::Gt | Operator::GtEq => Use::Order,
        Operator::Plus | Operator::Minus | Operator::Multiply | Operator::Divide | Operator::Modulo => Use::Arithmetic,
        Operator::RegexMatch
        | Operator::RegexIMatch
        | Operator::RegexNotMatch
        | Operator::RegexNotIMatch
        | Operator::LikeMatch
        | Operator::ILikeMatch
        | Operator::NotLikeMatch
        | Operator::NotILikeMatch => Use::Pattern,
        Operator::BitwiseAnd
        | Operator::BitwiseOr
        | Operator::BitwiseXor
        | Operator::BitwiseShiftRight
        | Operator::BitwiseShiftLeft => Use::Bits,
        Operator::StringConcat => Use::Concatenation,
        Operator::AtArrow
        | Operator::ArrowAt
        | Operator::Arrow
        | Operator::LongArrow
        | Operator::HashArrow
        | Operator::HashLongArrow
        | Operator::AtAt
        | Operator::IntegerDivide
        | Operator::HashMinus
        | Operator::AtQuestion
        | Operator::Question
        | Operator::QuestionAnd
        | Operator::QuestionPipe
        | Operator::Colon => Use::Never,
    }
}
