//! The dense products of bytes for NEON's dot products; listed sums are those without.
#include "sums_loops.h"

#if defined(__aarch64__)
#include "../onnxruntime/instructions.h"
#include "../onnxruntime/vectors.h"

#include <arm_neon.h>
#include <string.h>

SPIKEHALT_TARGET_BEGIN("arch=armv8.2-a+dotprod")
#include "dense_sums.h"

namespace spikehalt
{
namespace
{

struct Dotprod
{
    static constexpr int64_t kPANEL = 4;
    static constexpr int kPANELS = 4;
    static constexpr bool kPRODUCTS_IN_32 = true;
    using Vector = int32x4_t;

    static SPIKEHALT_INLINE Vector load(int8_t const* from) { return vreinterpretq_s32_s8(vld1q_s8(from)); }
    static SPIKEHALT_INLINE void store(int32_t* to, Vector v) { vst1q_s32(to, v); }
    static SPIKEHALT_INLINE Vector none() { return vdupq_n_s32(0); }
    static SPIKEHALT_INLINE Vector quad(uint8_t const* x)
    {
        int32_t four = 0;
        memcpy(&four, x, sizeof(four));
        return vdupq_n_s32(four);
    }
    static SPIKEHALT_INLINE Vector addProducts32(Vector sums, Vector x, Vector weights)
    {
        return vdotq_s32(sums, vreinterpretq_s8_s32(weights), vreinterpretq_s8_s32(x));
    }
};

} // namespace
} // namespace spikehalt
SPIKEHALT_TARGET_END

namespace spikehalt
{

ByteLoops const& dotprodByteLoops()
{
    static ByteLoops const kLOOPS = [] {
        ByteLoops loops = neonByteLoops();
        loops.panel = Dotprod::kPANEL;
        loops.denseTile = Dotprod::kPANEL * Dotprod::kPANELS;
        loops.largestDense = 127; // multiplied as signed bytes
        loops.multiply = multiplyBytes<Dotprod>;
        return loops;
    }();
    return kLOOPS;
}

} // namespace spikehalt
#endif
