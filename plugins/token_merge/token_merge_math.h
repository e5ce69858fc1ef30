//! TokenMerge per pair: similarity, and the two orders that break ties by position.
#ifndef SPIKEHALT_TOKEN_MERGE_MATH_H
#define SPIKEHALT_TOKEN_MERGE_MATH_H

#include "../common/math.h"

namespace spikehalt
{

//! The target of a token that has none.
constexpr int32_t kNO_TARGET = -1;
//! Priorities outside the cosines: a dead source goes first, one without a target last.
constexpr float kDEAD_PRIORITY = 2.0F;
constexpr float kLOST_PRIORITY = -2.0F;

//! dot / sqrt(|a|^2 * |b|^2), rounded after each operation; 0 with a zero vector.
SPIKEHALT_HD float mergeSimilarity(float dot, float squareA, float squareB)
{
    float const squares = mulRounded(squareA, squareB);
    return squares > 0.0F ? divRounded(dot, sqrtRounded(squares)) : 0.0F;
}

//! Whether target `position` beats target `best`: more similar, or equal and lower.
SPIKEHALT_HD bool beats(float similarity, int32_t position, float bestSimilarity, int32_t best)
{
    if (position == kNO_TARGET || best == kNO_TARGET)
    {
        return position != kNO_TARGET;
    }
    return similarity > bestSimilarity || (similarity == bestSimilarity && position < best);
}

//! How early an even token becomes a source.
SPIKEHALT_HD float mergePriority(int32_t live, float similarity, int32_t target)
{
    if (!live)
    {
        return kDEAD_PRIORITY;
    }
    return target == kNO_TARGET ? kLOST_PRIORITY : similarity;
}

//! Whether the source in `slot` goes before the one in `other`: higher priority, then lower slot.
SPIKEHALT_HD bool goesBefore(float priority, int32_t slot, float otherPriority, int32_t other)
{
    return priority > otherPriority || (priority == otherPriority && slot < other);
}

//! Whether a token is similar enough to its best target, if it has one, to merge into it.
SPIKEHALT_HD bool isSimilar(float similarity, int32_t target, float threshold)
{
    return target != kNO_TARGET && similarity >= threshold;
}

} // namespace spikehalt

#endif
