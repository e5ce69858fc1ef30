//! The loops for AVX2 with FMA.
#include "sums_loops.h"

#if defined(__x86_64__)
#include "../onnxruntime/instructions.h"
#include "../onnxruntime/vectors.h"

#include <immintrin.h>
#include <string.h>

SPIKEHALT_TARGET_BEGIN("avx2,fma,popcnt,bmi")
#include "avx2_vectors.h"
#include "dense_sums.h"
#include "float_sums.h"
#include "listed_sums.h"
SPIKEHALT_TARGET_END

namespace spikehalt
{

ByteLoops const& avx2ByteLoops()
{
    static constexpr ByteLoops kLOOPS{
        Avx2::kUNIT, Avx2::kUNIT * Avx2::kTILE, Avx2::kPANEL, Avx2::kPANEL * Avx2::kPANELS,
        kDENSE_ROWS, kDENSE_INPUTS, Avx2::kLARGEST_DENSE, countBytes<Avx2>, listBytes<Avx2>, appendBytes, samePlace, addListedBytes<Avx2>,
        multiplyBytes<Avx2>};
    return kLOOPS;
}

FloatLoops const& avx2FloatLoops()
{
    static constexpr FloatLoops kLOOPS = floatLoopsOf<AvxFloats>();
    return kLOOPS;
}

} // namespace spikehalt
#endif
