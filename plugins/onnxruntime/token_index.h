//! Checks of the index that says which token each packed row is.
#ifndef SPIKEHALT_ONNXRUNTIME_TOKEN_INDEX_H
#define SPIKEHALT_ONNXRUNTIME_TOKEN_INDEX_H

#include "context.h"

namespace spikehalt::ort
{

//! Throw unless the tokens ascend and are in 0 .. slots - 1.
inline void requireAscending(Context const& context, size_t input, int64_t const* index, int64_t count, int64_t slots)
{
    int64_t last = -1;
    for (int64_t m = 0; m < count; ++m)
    {
        if (index[m] <= last || index[m] >= slots)
        {
            context.refuse(input, "must ascend and name tokens, 0 to " + std::to_string(slots - 1) + ", which "
                    + std::to_string(index[m]) + " in row " + std::to_string(m) + " does not.");
        }
        last = index[m];
    }
}

} // namespace spikehalt::ort

#endif
