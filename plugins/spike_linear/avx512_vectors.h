//! AVX-512's vectors for listed_sums.h, dense_sums.h and float_sums.h; included inside a region of that set.

namespace spikehalt
{
namespace
{

struct Avx512
{
    static constexpr int64_t kUNIT = 64;
    static constexpr int kTILE = 6;
    static constexpr int32_t kLARGEST = 127;
    static constexpr bool kCOMPRESSES = true;

    static SPIKEHALT_INLINE uint64_t nonZero(uint8_t const* x)
    {
        __m512i const bytes = _mm512_loadu_si512(x);
        return _mm512_test_epi8_mask(bytes, bytes);
    }

    static SPIKEHALT_INLINE uint64_t above127(uint8_t const* x) { return _mm512_movepi8_mask(_mm512_loadu_si512(x)); }

    static SPIKEHALT_INLINE void compress(uint8_t const* x, int64_t first, uint64_t mask, ByteList& list)
    {
        int64_t count = list.count;
        __m512i const steps = _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
        for (int64_t at = 0; at < kBLOCK; at += 16)
        {
            auto const some = static_cast<__mmask16>(mask >> at);
            __m512i const inputs = _mm512_add_epi32(steps, _mm512_set1_epi32(static_cast<int32_t>(first + at)));
            __m512i const values = _mm512_cvtepu8_epi32(_mm_loadu_si128(reinterpret_cast<__m128i const*>(x + at)));
            _mm512_storeu_si512(list.inputs + count, _mm512_maskz_compress_epi32(some, inputs));
            __m128i const bytes = _mm512_cvtepi32_epi8(_mm512_maskz_compress_epi32(some, values));
            _mm_storeu_si128(reinterpret_cast<__m128i*>(list.values + count), bytes);
            count += __builtin_popcount(some);
        }
        list.count = count;
    }

    using Largest = __m512i;
    static SPIKEHALT_INLINE Largest noLargest() { return _mm512_setzero_si512(); }
    static SPIKEHALT_INLINE Largest larger(Largest largest, uint8_t const* x)
    {
        return _mm512_max_epu8(largest, _mm512_loadu_si512(x));
    }
    static SPIKEHALT_INLINE int32_t largest(Largest found)
    {
        __m512i const low = _mm512_and_si512(found, _mm512_set1_epi16(0xFF));
        __m512i const high = _mm512_srli_epi16(found, 8);
        __m512i const both = _mm512_max_epu16(low, high);
        __m512i const even = _mm512_and_si512(both, _mm512_set1_epi32(0xFFFF));
        return static_cast<int32_t>(_mm512_reduce_max_epu32(_mm512_max_epu32(even, _mm512_srli_epi32(both, 16))));
    }

    using Pair = __m512i;
    static SPIKEHALT_INLINE Pair pair(uint8_t const* values)
    {
        int16_t both = 0;
        memcpy(&both, values, sizeof(both));
        return _mm512_set1_epi16(both);
    }

    //! Of interleaved bytes: low has columns 0..7 of every 16, high has 8..15.
    struct Sums
    {
        __m512i low;
        __m512i high;
    };
    static SPIKEHALT_INLINE Sums zero() { return {_mm512_setzero_si512(), _mm512_setzero_si512()}; }

    static SPIKEHALT_INLINE void addPair(Sums& sums, int8_t const* a, int8_t const* b, Pair pair)
    {
        __m512i first = _mm512_loadu_si512(a);
        __m512i second = _mm512_loadu_si512(b);
        asm("" : "+v"(first), "+v"(second)); // GCC would load both twice
        __m512i const low = _mm512_maddubs_epi16(pair, _mm512_unpacklo_epi8(first, second));
        __m512i const high = _mm512_maddubs_epi16(pair, _mm512_unpackhi_epi8(first, second));
        sums.low = _mm512_add_epi16(sums.low, low);
        sums.high = _mm512_add_epi16(sums.high, high);
    }

    static SPIKEHALT_INLINE void addTo(int32_t* out, __m512i sums)
    {
        _mm512_storeu_si512(out, _mm512_add_epi32(_mm512_loadu_si512(out), sums));
    }

    static SPIKEHALT_INLINE void flushHalf(__m256i low, __m256i high, int32_t* out)
    {
        __m512i const a = _mm512_cvtepi16_epi32(low);
        __m512i const b = _mm512_cvtepi16_epi32(high);
        addTo(out, _mm512_shuffle_i64x2(a, b, 0x44));
        addTo(out + 16, _mm512_shuffle_i64x2(a, b, 0xEE));
    }

    static SPIKEHALT_INLINE void flush(Sums const& sums, int32_t* out)
    {
        flushHalf(_mm512_castsi512_si256(sums.low), _mm512_castsi512_si256(sums.high), out);
        flushHalf(_mm512_extracti64x4_epi64(sums.low, 1), _mm512_extracti64x4_epi64(sums.high, 1), out + 32);
    }

    // Dense products.
    using Vector = __m512i;
    static constexpr int64_t kPANEL = 16;
    static constexpr int kPANELS = 4;
    static constexpr bool kPRODUCTS_IN_32 = false;
    static constexpr int32_t kLARGEST_DENSE = 127;
    static SPIKEHALT_INLINE Vector load(void const* from) { return _mm512_loadu_si512(from); }
    static SPIKEHALT_INLINE void store(void* to, Vector v) { _mm512_storeu_si512(to, v); }
    static SPIKEHALT_INLINE Vector none() { return _mm512_setzero_si512(); }
    static SPIKEHALT_INLINE Vector quad(uint8_t const* x)
    {
        int32_t four = 0;
        memcpy(&four, x, sizeof(four));
        return _mm512_set1_epi32(four);
    }
    static SPIKEHALT_INLINE Vector addProducts16(Vector sums, Vector x, Vector weights)
    {
        return _mm512_add_epi16(sums, _mm512_maddubs_epi16(x, weights));
    }
    static SPIKEHALT_INLINE Vector addWidened(Vector sums, Vector sums16)
    {
        return _mm512_add_epi32(sums, _mm512_madd_epi16(sums16, _mm512_set1_epi16(1)));
    }
};

//! Halves of vectors: with 32 registers twice as many as Avx2 holds.
struct Avx512Half : Avx2
{
    static constexpr int kTILE = 12;
};

//! Halves where columns do not fill whole vectors.
inline void addListedAvx512(
    ByteList const& list, Range const& places, int8_t const* packed, int64_t columns, int32_t* sums)
{
    if (columns % Avx512::kUNIT == 0)
    {
        addListedBytes<Avx512>(list, places, packed, columns, sums);
        return;
    }
    addListedBytes<Avx512Half>(list, places, packed, columns, sums);
}

struct Avx512Floats
{
    static constexpr int64_t kFLOATS = 16;
    static constexpr int kFLOAT_TILE = 4;
    static constexpr int kDENSE_TILE = 4;
    using Vector = __m512;
    static SPIKEHALT_INLINE Vector load(float const* from) { return _mm512_loadu_ps(from); }
    static SPIKEHALT_INLINE void store(float* to, Vector v) { _mm512_storeu_ps(to, v); }
    static SPIKEHALT_INLINE Vector all(float x) { return _mm512_set1_ps(x); }
    static SPIKEHALT_INLINE Vector addProduct(Vector sums, Vector x, Vector weights)
    {
        return _mm512_fmadd_ps(x, weights, sums);
    }
    static SPIKEHALT_INLINE uint32_t nonZero(float const* x)
    {
        return _mm512_cmp_ps_mask(_mm512_loadu_ps(x), _mm512_setzero_ps(), _CMP_NEQ_UQ);
    }
};

} // namespace
} // namespace spikehalt
