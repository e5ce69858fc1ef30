//! AVX2's vectors for listed_sums.h, dense_sums.h and float_sums.h; included inside a region of that set.

namespace spikehalt
{
namespace
{

struct Avx2
{
    static constexpr int64_t kUNIT = 32;
    static constexpr int kTILE = 6;
    static constexpr int32_t kLARGEST = 127;
    static constexpr bool kCOMPRESSES = false;

    static SPIKEHALT_INLINE __m256i bytes(void const* x) { return _mm256_loadu_si256(static_cast<__m256i const*>(x)); }

    static SPIKEHALT_INLINE uint32_t nonZero32(uint8_t const* x)
    {
        __m256i const zero = _mm256_cmpeq_epi8(bytes(x), _mm256_setzero_si256());
        return ~static_cast<uint32_t>(_mm256_movemask_epi8(zero));
    }
    static SPIKEHALT_INLINE uint64_t nonZero(uint8_t const* x)
    {
        return nonZero32(x) | static_cast<uint64_t>(nonZero32(x + 32)) << 32;
    }

    using Largest = __m256i;
    static SPIKEHALT_INLINE Largest noLargest() { return _mm256_setzero_si256(); }
    static SPIKEHALT_INLINE Largest larger(Largest largest, uint8_t const* x)
    {
        return _mm256_max_epu8(_mm256_max_epu8(largest, bytes(x)), bytes(x + 32));
    }
    static SPIKEHALT_INLINE int32_t largest(Largest found)
    {
        __m128i const half = _mm_max_epu8(_mm256_castsi256_si128(found), _mm256_extracti128_si256(found, 1));
        // The smallest 16-bit number is found by one instruction; the largest is its complement.
        __m128i const both = _mm_max_epu8(half, _mm_srli_epi16(half, 8));
        __m128i const low = _mm_xor_si128(_mm_and_si128(both, _mm_set1_epi16(0xFF)), _mm_set1_epi16(0xFF));
        return 0xFF ^ (_mm_cvtsi128_si32(_mm_minpos_epu16(low)) & 0xFF);
    }

    using Pair = __m256i;
    static SPIKEHALT_INLINE Pair pair(uint8_t const* values)
    {
        int16_t both = 0;
        memcpy(&both, values, sizeof(both));
        return _mm256_set1_epi16(both);
    }

    //! Of interleaved bytes: low has columns 0..7 of every 16, high has 8..15.
    struct Sums
    {
        __m256i low;
        __m256i high;
    };
    static SPIKEHALT_INLINE Sums zero() { return {_mm256_setzero_si256(), _mm256_setzero_si256()}; }

    static SPIKEHALT_INLINE void addPair(Sums& sums, int8_t const* a, int8_t const* b, Pair pair)
    {
        __m256i first = bytes(a);
        __m256i second = bytes(b);
        asm("" : "+x"(first), "+x"(second)); // GCC would load both twice
        __m256i const low = _mm256_maddubs_epi16(pair, _mm256_unpacklo_epi8(first, second));
        __m256i const high = _mm256_maddubs_epi16(pair, _mm256_unpackhi_epi8(first, second));
        sums.low = _mm256_add_epi16(sums.low, low);
        sums.high = _mm256_add_epi16(sums.high, high);
    }

    static SPIKEHALT_INLINE void addTo(int32_t* out, __m128i sums)
    {
        store(out, _mm256_add_epi32(bytes(out), _mm256_cvtepi16_epi32(sums)));
    }

    static SPIKEHALT_INLINE void flush(Sums const& sums, int32_t* out)
    {
        addTo(out, _mm256_castsi256_si128(sums.low));
        addTo(out + 8, _mm256_castsi256_si128(sums.high));
        addTo(out + 16, _mm256_extracti128_si256(sums.low, 1));
        addTo(out + 24, _mm256_extracti128_si256(sums.high, 1));
    }

    // Dense products.
    using Vector = __m256i;
    static constexpr int64_t kPANEL = 8;
    static constexpr int kPANELS = 2;
    static constexpr bool kPRODUCTS_IN_32 = false;
    static constexpr int32_t kLARGEST_DENSE = 127;
    static SPIKEHALT_INLINE Vector load(void const* from) { return bytes(from); }
    static SPIKEHALT_INLINE void store(void* to, Vector v) { _mm256_storeu_si256(static_cast<__m256i*>(to), v); }
    static SPIKEHALT_INLINE Vector none() { return _mm256_setzero_si256(); }
    static SPIKEHALT_INLINE Vector quad(uint8_t const* x)
    {
        int32_t four = 0;
        memcpy(&four, x, sizeof(four));
        return _mm256_set1_epi32(four);
    }
    static SPIKEHALT_INLINE Vector addProducts16(Vector sums, Vector x, Vector weights)
    {
        return _mm256_add_epi16(sums, _mm256_maddubs_epi16(x, weights));
    }
    static SPIKEHALT_INLINE Vector addWidened(Vector sums, Vector sums16)
    {
        return _mm256_add_epi32(sums, _mm256_madd_epi16(sums16, _mm256_set1_epi16(1)));
    }

};

//! AVX's floats.
struct AvxFloats
{
    static constexpr int64_t kFLOATS = 8;
    static constexpr int kFLOAT_TILE = 8;
    static constexpr int kDENSE_TILE = 2;
    using Vector = __m256;
    static SPIKEHALT_INLINE Vector load(float const* from) { return _mm256_loadu_ps(from); }
    static SPIKEHALT_INLINE void store(float* to, Vector v) { _mm256_storeu_ps(to, v); }
    static SPIKEHALT_INLINE Vector all(float x) { return _mm256_set1_ps(x); }
    static SPIKEHALT_INLINE Vector addProduct(Vector sums, Vector x, Vector weights)
    {
        return _mm256_fmadd_ps(x, weights, sums);
    }
    static SPIKEHALT_INLINE uint32_t nonZero(float const* x)
    {
        __m256 const differs = _mm256_cmp_ps(_mm256_loadu_ps(x), _mm256_setzero_ps(), _CMP_NEQ_UQ);
        return static_cast<uint32_t>(_mm256_movemask_ps(differs));
    }
};

} // namespace
} // namespace spikehalt
