//! What ops that merge share on CPUs: every even token's most similar live odd one.
#ifndef SPIKEHALT_TOKEN_MERGE_MATCHING_H
#define SPIKEHALT_TOKEN_MERGE_MATCHING_H

#include "../onnxruntime/context.h"
#include "product_loops.h"
#include "token_merge_math.h"

#include <vector>

namespace spikehalt
{

//! The tokens of all images.
struct TokenRows
{
    int64_t images;
    int64_t tokens;
    int64_t width;
    float const* x;
    int32_t const* live;

    int64_t evens() const { return (tokens + 1) / 2; }
    float const* row(int64_t image, int64_t position) const { return x + (image * tokens + position) * width; }
    bool alive(int64_t image, int64_t position) const { return live[image * tokens + position] != 0; }
};

//! An even token's best target.
struct Match
{
    float similarity = 0.0F;
    int32_t target = kNO_TARGET;
};

//! Products of an even token with up to kPRODUCTS live odd ones; the best of them in `best`.
inline void compare(TokenRows const& all, float const* squares, int64_t image, int64_t even, int32_t const* odds,
    int64_t count, Match& best)
{
    float const* rows[kPRODUCTS];
    float dots[kPRODUCTS];
    for (int64_t i = 0; i < kPRODUCTS; ++i)
    {
        rows[i] = all.row(image, odds[std::min(i, count - 1)]);
    }
    multiplyRows(all.row(image, even), rows, all.width, dots);
    float const* const own = squares + image * all.tokens;
    for (int64_t i = 0; i < count; ++i)
    {
        float const similarity = mergeSimilarity(dots[i], own[even], own[odds[i]]);
        if (beats(similarity, odds[i], best.similarity, best.target))
        {
            best = {similarity, odds[i]};
        }
    }
}

inline Match bestTarget(TokenRows const& all, float const* squares, int64_t image, int64_t even)
{
    Match best;
    int32_t odds[kPRODUCTS];
    int64_t count = 0;
    for (int64_t odd = 1; odd < all.tokens; odd += 2)
    {
        if (all.alive(image, odd))
        {
            odds[count++] = static_cast<int32_t>(odd);
        }
        if (count == kPRODUCTS || (count > 0 && odd + 2 >= all.tokens))
        {
            compare(all, squares, image, even, odds, count, best);
            count = 0;
        }
    }
    return best;
}

//! Matches of all images' even tokens; only of those `asked` for, which lists all of them.
inline std::vector<Match> matchesOf(ort::Context const& context, TokenRows const& all, std::vector<char> const& asked)
{
    std::vector<float> squares(static_cast<size_t>(all.images * all.tokens));
    std::vector<Match> matches(static_cast<size_t>(all.images * all.evens()));
    context.split(all.images * all.tokens, all.width, [&](int64_t, int64_t first, int64_t end) {
        for (int64_t token = first; token < end; ++token)
        {
            squares[static_cast<size_t>(token)] = squareOfRow(all.x + token * all.width, all.width);
        }
    });
    int64_t const products = all.tokens / 2 * all.width;
    context.split(all.images * all.evens(), products, [&](int64_t, int64_t first, int64_t end) {
        for (int64_t slot = first; slot < end; ++slot)
        {
            if (asked[static_cast<size_t>(slot)])
            {
                matches[static_cast<size_t>(slot)]
                    = bestTarget(all, squares.data(), slot / all.evens(), slot % all.evens() * 2);
            }
        }
    });
    return matches;
}

} // namespace spikehalt

#endif
