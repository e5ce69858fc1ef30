//! The loops for AVX-512 with products of bytes: listed sums as without, dense ones four times as fast.
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

SPIKEHALT_TARGET_BEGIN("avx2,fma,popcnt,bmi,avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")
#include "avx2_vectors.h"
#include "dense_sums.h"
#include "listed_sums.h"

#include "avx512_vectors.h"

namespace spikehalt
{
namespace
{

struct Vnni : Avx512
{
    static constexpr bool kPRODUCTS_IN_32 = true;
    static constexpr int32_t kLARGEST_DENSE = 255;

    static SPIKEHALT_INLINE Vector addProducts32(Vector sums, Vector x, Vector weights)
    {
        return _mm512_dpbusd_epi32(sums, x, weights);
    }
};

} // namespace
} // namespace spikehalt
SPIKEHALT_TARGET_END

namespace spikehalt
{

ByteLoops const& vnniByteLoops()
{
    static constexpr ByteLoops kLOOPS{Avx2::kUNIT, Avx512::kUNIT * Avx512::kTILE, Avx512::kPANEL, Avx512::kPANEL * Avx512::kPANELS,
        Vnni::kLARGEST_DENSE, countBytes<Vnni>, listBytes<Vnni>, addListedAvx512, multiplyBytes<Vnni>};
    return kLOOPS;
}

} // namespace spikehalt
#endif
