//! Half precision on the host: storage, and conversion that rounds to nearest even.
#pragma once

#include <cstdint>
#include <cstring>

struct __half
{
    uint16_t bits;
};

inline float __half2float(__half value)
{
    uint32_t const sign = static_cast<uint32_t>(value.bits & 0x8000U) << 16;
    uint32_t const magnitude = value.bits & 0x7FFFU;
    float result = 0.0F;
    if (magnitude >= 0x7C00U) // infinity, NaN
    {
        uint32_t const bits = 0x7F800000U | (magnitude & 0x3FFU) << 13;
        std::memcpy(&result, &bits, sizeof(bits));
    }
    else
    {
        // As the bits of a float this is the value times 2^-112, subnormal numbers included.
        uint32_t const bits = magnitude << 13;
        std::memcpy(&result, &bits, sizeof(bits));
        result *= 0x1p112F;
    }
    uint32_t bits = 0;
    std::memcpy(&bits, &result, sizeof(bits));
    bits |= sign;
    std::memcpy(&result, &bits, sizeof(bits));
    return result;
}

inline __half __float2half_rn(float value)
{
    uint32_t bits = 0;
    std::memcpy(&bits, &value, sizeof(bits));
    uint16_t const sign = static_cast<uint16_t>(bits >> 16 & 0x8000U);
    bits &= 0x7FFFFFFFU;
    if (bits > 0x7F800000U)
    {
        return {static_cast<uint16_t>(sign | 0x7E00U)};
    }
    if (bits >= 0x477FF000U) // rounds to a number above the largest half
    {
        return {static_cast<uint16_t>(sign | 0x7C00U)};
    }
    if (bits < 0x38800000U) // subnormal: adding 1/2 leaves the wanted bits at the bottom, rounded
    {
        float magnitude = 0.0F;
        std::memcpy(&magnitude, &bits, sizeof(bits));
        magnitude += 0.5F;
        std::memcpy(&bits, &magnitude, sizeof(bits));
        return {static_cast<uint16_t>(sign | (bits - 0x3F000000U))};
    }
    uint32_t const odd = bits >> 13 & 1U;
    bits += 0xC8000000U + 0xFFFU + odd; // rebase the exponent, round to nearest even
    return {static_cast<uint16_t>(sign | bits >> 13)};
}
