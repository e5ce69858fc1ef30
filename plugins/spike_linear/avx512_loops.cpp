//! The loops for AVX-512 without products of bytes.
#include "sums_loops.h"

#if defined(__x86_64__)
#include "../onnxruntime/instructions.h"
#include "../onnxruntime/vectors.h"

#include <immintrin.h>
#include <string.h>

#if defined(__GNUC__) && !defined(__clang__)
// GCC 12 finds fault with its own header's vectors that are meant to be undefined.
#pragma GCC diagnostic ignored "-Wuninitialized"
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#endif

SPIKEHALT_TARGET_BEGIN("avx2,fma,popcnt,bmi,avx512f,avx512bw,avx512dq,avx512vl")
#include "avx2_vectors.h"
#include "dense_sums.h"
#include "float_sums.h"
#include "listed_sums.h"

#include "avx512_vectors.h"
SPIKEHALT_TARGET_END

namespace spikehalt
{

ByteLoops const& avx512ByteLoops()
{
    static constexpr ByteLoops kLOOPS{
        Avx2::kUNIT, Avx512::kUNIT * Avx512::kTILE, Avx512::kPANEL, Avx512::kPANEL * Avx512::kPANELS,
        kDENSE_ROWS, kDENSE_INPUTS, Avx512::kLARGEST_DENSE, countBytes<Avx512>, listBytes<Avx512>, appendBytes, samePlace, addListedAvx512,
        multiplyBytes<Avx512>};
    return kLOOPS;
}

FloatLoops const& avx512FloatLoops()
{
    static constexpr FloatLoops kLOOPS = floatLoopsOf<Avx512Floats>();
    return kLOOPS;
}

} // namespace spikehalt
#endif
