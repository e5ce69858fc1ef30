#include "instructions.h"

#include <algorithm>
#include <iterator>
#include <stdlib.h>
#include <string>

#if defined(__aarch64__) && defined(__linux__)
#include <asm/hwcap.h>
#include <sys/auxv.h>
#endif
#if defined(__x86_64__) && defined(__linux__)
#include <cpuid.h>
#include <sys/syscall.h>
#include <unistd.h>
#endif

namespace spikehalt::ort
{
namespace
{

struct Named
{
    char const* name;
    Instructions set;
};

constexpr Named kSETS[] = {
    {"dotprod", Instructions::kDOTPROD},
    {"neon", Instructions::kNEON},
    {"amx", Instructions::kAMX},
    {"vnni", Instructions::kVNNI},
    {"avx512", Instructions::kAVX512},
    {"avx2", Instructions::kAVX2},
    {"plain", Instructions::kPLAIN},
};

#if defined(__aarch64__)

bool hasProducts()
{
#if defined(__linux__)
    return (getauxval(AT_HWCAP) & HWCAP_ASIMDDP) != 0;
#else
    return true; // every processor of Apple's that runs macOS
#endif
}

#endif

#if defined(__x86_64__)

//! Whether the CPU has tiles of bytes and the system lets this process use them: their state is large, so
//! Linux wants to be asked.
bool hasTiles()
{
#if defined(__linux__)
    constexpr unsigned kLEAF = 7;
    constexpr unsigned kTILES = 1U << 24;
    constexpr unsigned kBYTES = 1U << 25;
    constexpr long kASK = 0x1023;  // ARCH_REQ_XCOMP_PERM
    constexpr long kTILE_DATA = 18;
    unsigned a = 0;
    unsigned b = 0;
    unsigned c = 0;
    unsigned d = 0;
    bool const there = __get_cpuid_count(kLEAF, 0, &a, &b, &c, &d) != 0 && (d & kTILES) != 0 && (d & kBYTES) != 0;
    return there && syscall(SYS_arch_prctl, kASK, kTILE_DATA) == 0;
#else
    return false;
#endif
}

#endif

Instructions choose()
{
    char const* const wanted = getenv("SPIKEHALT_INSTRUCTIONS");
    std::string there;
    for (Named const& each : kSETS)
    {
        if (!runs(each.set))
        {
            continue;
        }
        if (wanted == nullptr || std::string(wanted) == each.name)
        {
            return each.set;
        }
        there += (there.empty() ? "" : ", ") + std::string(each.name);
    }
    throw OpError(std::string("SPIKEHALT_INSTRUCTIONS is '") + wanted + "', but this CPU runs " + there + ".");
}

} // namespace

bool runs(Instructions set)
{
#if defined(__x86_64__)
    bool const avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
    bool const avx512 = avx2 && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq")
        && __builtin_cpu_supports("avx512vl");
    switch (set)
    {
    case Instructions::kPLAIN: return true;
    case Instructions::kAVX2: return avx2;
    case Instructions::kAVX512: return avx512;
    case Instructions::kVNNI: return avx512 && __builtin_cpu_supports("avx512vnni");
    case Instructions::kAMX: return runs(Instructions::kVNNI) && hasTiles();
    default: return false;
    }
#elif defined(__aarch64__)
    bool const products = set == Instructions::kDOTPROD && hasProducts();
    return set == Instructions::kPLAIN || set == Instructions::kNEON || products;
#else
    return set == Instructions::kPLAIN;
#endif
}

Instructions instructions()
{
    static Instructions const chosen = choose();
    return chosen;
}

char const* instructionsName()
{
    Instructions const chosen = instructions();
    return std::find_if(std::begin(kSETS), std::end(kSETS), [&](Named const& each) { return each.set == chosen; })->name;
}

} // namespace spikehalt::ort
