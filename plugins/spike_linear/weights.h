//! The weights of one layer as the loops want them, and the choice between listed and dense sums.
#ifndef SPIKEHALT_WEIGHTS_H
#define SPIKEHALT_WEIGHTS_H

#include "kinds.h"
#include "memory.h"

#include <mutex>

namespace spikehalt
{

//! Columns that a call of the loops takes.
struct Columns
{
    int64_t first;
    int64_t count; //!< padded
};

//! Weights [inputs, columns], padded to what vectors take.
template <typename Kind>
class Weights
{
public:
    using X = typename Kind::X;
    using W = typename Kind::W;
    using Sum = typename Kind::Sum;
    using ListTap = Tap<typename Kind::List, W>;

    //! `taps`: how many rows of the same list are added to others, as in a convolution.
    Weights(W const* weights, int64_t inputs, int64_t columns, int64_t taps);

    int64_t inputs() const { return mInputs; }
    int64_t columns() const { return mColumns; }
    int64_t stride() const { return mStride; }
    W const* row(int64_t input) const { return mRows + input * mStride; }
    typename Kind::Loops const& loops() const { return *mLoops; }
    //! Inputs of a dense row: a multiple of what products take at a time, zeros behind.
    int64_t denseInputs() const { return mDenseInputs; }

    //! Whether to list a row of `inputs` activations rather than to multiply it.
    bool lists(Count const& count, int64_t inputs) const
    {
        bool const sparse = static_cast<double>(count.nonZero) <= mBreakEven * static_cast<double>(inputs);
        return sparse || !mMultiplies || tooLarge(count);
    }

    //! Columns that addListed and multiply take at a time, from `first` on.
    Columns listedTile(int64_t first) const;
    Columns denseTile(int64_t first) const;

    void addListed(ListTap const* taps, int64_t count, Columns const& tile, Sum* sums) const;
    //! Inputs that multiply takes at a time, from `first` on: as many as a tile of weights stays in the caches.
    Range denseRange(int64_t first) const;
    //! Up to kDENSE_ROWS rows of denseInputs() activations, none of them above `largest`.
    void multiply(X const* const* rows, int64_t count, int32_t largest, Range const& inputs, Columns const& tile,
        Sum* sums, int64_t stride) const;

private:
    W const* packed() const;
    bool tooLarge(Count const& count) const;

    typename Kind::Loops const* mLoops;
    int64_t mInputs;
    int64_t mColumns;
    int64_t mStride;
    int64_t mDenseInputs;
    bool mMultiplies;
    int64_t mListedTile;
    double mBreakEven;
    W const* mRows;
    Aligned<W> mCopy;
    //! The weights once more, in the order of dense products; made when the first row is dense.
    mutable Aligned<W> mPacked;
    mutable std::once_flag mPackedOnce;
};

extern template class Weights<Bytes>;
extern template class Weights<Floats>;

} // namespace spikehalt

#endif
