//! What instructions compute. A number of n bits is the low bits of 64, and the rest is zero.

use rspirv::spirv::Op;

/// Of two numbers of so many bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Binary {
    Add,
    Sub,
    Mul,
    Div,
    And,
    Or,
    Xor,
    ShiftLeft,
    ShiftRight,
    Min,
    Max,
    Equal,
    NotEqual,
    Less,
    LessEqual,
    Greater,
    GreaterEqual,
    SignedGreaterEqual,
}

/// Of one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unary {
    Not,
    LogicalNot,
    BitCount,
    BitReverse,
    /// The place of the lowest bit that is set, or -1 in 32 bits.
    LowestBit,
    /// The place of the highest bit that is set, or -1 in 32 bits.
    HighestBit,
}

impl Binary {
    pub(crate) fn of(op: Op) -> Option<Self> {
        Some(match op {
            Op::IAdd => Self::Add,
            Op::ISub => Self::Sub,
            Op::IMul => Self::Mul,
            Op::UDiv => Self::Div,
            Op::BitwiseAnd | Op::LogicalAnd => Self::And,
            Op::BitwiseOr | Op::LogicalOr => Self::Or,
            Op::BitwiseXor => Self::Xor,
            Op::ShiftLeftLogical => Self::ShiftLeft,
            Op::ShiftRightLogical => Self::ShiftRight,
            Op::IEqual => Self::Equal,
            Op::INotEqual => Self::NotEqual,
            Op::ULessThan => Self::Less,
            Op::ULessThanEqual => Self::LessEqual,
            Op::UGreaterThan => Self::Greater,
            Op::UGreaterThanEqual => Self::GreaterEqual,
            Op::SGreaterThanEqual => Self::SignedGreaterEqual,
            _ => return None,
        })
    }

    /// Whether the result is undefined for some operands.
    pub(crate) const fn is_partial(self) -> bool {
        matches!(self, Self::Div | Self::ShiftLeft | Self::ShiftRight)
    }

    /// The result; `None` where it is undefined: division by 0, shifts by as many bits as there are.
    pub(crate) fn checked(self, bits: u32, x: u64, y: u64) -> Option<u64> {
        match self {
            Self::Div if y == 0 => None,
            Self::ShiftLeft | Self::ShiftRight if y >= u64::from(bits) => None,
            _ => Some(self.apply(bits, x, y)),
        }
    }

    /// The result, where it is defined.
    #[inline(always)]
    pub(crate) fn apply(self, bits: u32, x: u64, y: u64) -> u64 {
        let mask = mask(bits);
        match self {
            Self::Add => x.wrapping_add(y) & mask,
            Self::Sub => x.wrapping_sub(y) & mask,
            Self::Mul => x.wrapping_mul(y) & mask,
            Self::Div => x / y,
            Self::And => x & y,
            Self::Or => x | y,
            Self::Xor => x ^ y,
            Self::ShiftLeft => x << y & mask,
            Self::ShiftRight => x >> y,
            Self::Min => x.min(y),
            Self::Max => x.max(y),
            Self::Equal => u64::from(x == y),
            Self::NotEqual => u64::from(x != y),
            Self::Less => u64::from(x < y),
            Self::LessEqual => u64::from(x <= y),
            Self::Greater => u64::from(x > y),
            Self::GreaterEqual => u64::from(x >= y),
            Self::SignedGreaterEqual => u64::from(extend(bits, x) >= extend(bits, y)),
        }
    }
}

impl Unary {
    pub(crate) const fn of(op: Op) -> Option<Self> {
        Some(match op {
            Op::Not => Self::Not,
            Op::LogicalNot => Self::LogicalNot,
            Op::BitCount => Self::BitCount,
            Op::BitReverse => Self::BitReverse,
            _ => return None,
        })
    }

    #[inline(always)]
    pub(crate) fn apply(self, bits: u32, x: u64) -> u64 {
        match self {
            Self::Not => !x & mask(bits),
            Self::LogicalNot => x ^ 1,
            Self::BitCount => u64::from(x.count_ones()),
            Self::BitReverse => x.reverse_bits() >> (64 - bits),
            Self::LowestBit if x == 0 => mask(32),
            Self::LowestBit => u64::from(x.trailing_zeros()),
            Self::HighestBit => u64::from(63_u32.wrapping_sub(x.leading_zeros())),
        }
    }
}

/// The bits of a number of so many.
#[inline(always)]
pub(crate) const fn mask(bits: u32) -> u64 {
    u64::MAX >> (64 - bits)
}

/// A number with its sign.
#[inline(always)]
pub(crate) const fn extend(bits: u32, x: u64) -> i64 {
    ((x << (64 - bits)) as i64) >> (64 - bits)
}
