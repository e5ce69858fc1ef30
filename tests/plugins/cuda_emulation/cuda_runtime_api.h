//! The part of the CUDA runtime that the project uses, on the host: memory, streams, graphs, events.
//!
//! It exists so that the kernels run in tests on machines without a GPU. Everything is synchronous.
//! Device memory ends at an unreadable page, so reading or writing behind a tensor is a crash.
#pragma once

#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <map>
#include <vector>

enum cudaError_t
{
    cudaSuccess = 0,
    cudaErrorInvalidValue = 1,
    cudaErrorMemoryAllocation = 2,
    cudaErrorNoDevice = 100,
    cudaErrorLaunchFailure = 719
};
enum cudaMemcpyKind
{
    cudaMemcpyHostToDevice,
    cudaMemcpyDeviceToHost,
    cudaMemcpyDeviceToDevice
};
enum cudaStreamCaptureMode
{
    cudaStreamCaptureModeThreadLocal
};
constexpr unsigned int cudaStreamNonBlocking = 1;

struct dim3
{
    unsigned int x, y, z;
    constexpr dim3(unsigned int x_ = 1, unsigned int y_ = 1, unsigned int z_ = 1)
        : x(x_)
        , y(y_)
        , z(z_)
    {
    }
};
struct cudaDeviceProp
{
    char name[256];
    int major;
    int minor;
};

using EmulatedWork = std::vector<std::function<void()>>;
struct CUstream_st
{
    EmulatedWork* capture = nullptr;
};
struct CUevent_st
{
    double seconds = 0;
};
using cudaStream_t = CUstream_st*;
using cudaEvent_t = CUevent_st*;
using cudaGraph_t = EmulatedWork*;
using cudaGraphExec_t = EmulatedWork*;

//! What the next calls answer; tests set it through `emulationFail` to try the error paths.
inline cudaError_t& emulatedFailure()
{
    static cudaError_t failure = cudaSuccess;
    return failure;
}
extern "C" __attribute__((used, visibility("default"))) inline void emulationFail(int code)
{
    emulatedFailure() = static_cast<cudaError_t>(code);
}

//! Run now, or record when the stream is being captured.
inline cudaError_t emulatedSubmit(cudaStream_t stream, std::function<void()> work)
{
    if (emulatedFailure() != cudaSuccess)
    {
        return emulatedFailure();
    }
    if (stream != nullptr && stream->capture != nullptr)
    {
        stream->capture->push_back(std::move(work));
    }
    else
    {
        work();
    }
    return cudaSuccess;
}

inline char const* cudaGetErrorString(cudaError_t error)
{
    return error == cudaErrorNoDevice ? "no CUDA-capable device is detected" : "emulated CUDA error";
}
inline cudaError_t cudaGetDeviceCount(int* count)
{
    *count = emulatedFailure() == cudaSuccess ? 1 : 0;
    return emulatedFailure();
}
inline cudaError_t cudaGetDevice(int* device)
{
    *device = 0;
    return cudaSuccess;
}
inline cudaError_t cudaGetDeviceProperties(cudaDeviceProp* properties, int)
{
    std::strcpy(properties->name, "CPU emulation");
    properties->major = 9;
    properties->minor = 0;
    return cudaSuccess;
}

inline std::map<void*, std::pair<void*, size_t>>& emulatedMappings()
{
    static std::map<void*, std::pair<void*, size_t>> mappings;
    return mappings;
}
inline cudaError_t cudaMalloc(void** memory, size_t bytes)
{
    size_t const page = static_cast<size_t>(sysconf(_SC_PAGESIZE));
    size_t const rounded = (bytes + 15) / 16 * 16;
    size_t const pages = (rounded + page - 1) / page * page;
    auto* const base = static_cast<unsigned char*>(
        mmap(nullptr, pages + page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    if (emulatedFailure() != cudaSuccess || base == MAP_FAILED)
    {
        return cudaErrorMemoryAllocation;
    }
    mprotect(base + pages, page, PROT_NONE);
    *memory = base + pages - rounded;
    emulatedMappings()[*memory] = {base, pages + page};
    return cudaSuccess;
}
inline cudaError_t cudaFree(void* memory)
{
    auto const found = emulatedMappings().find(memory);
    if (found == emulatedMappings().end())
    {
        return memory == nullptr ? cudaSuccess : cudaErrorInvalidValue;
    }
    munmap(found->second.first, found->second.second);
    emulatedMappings().erase(found);
    return cudaSuccess;
}
inline cudaError_t cudaMemcpy(void* target, void const* source, size_t bytes, cudaMemcpyKind)
{
    std::memcpy(target, source, bytes);
    return emulatedFailure();
}
inline cudaError_t cudaMemcpyAsync(
    void* target, void const* source, size_t bytes, cudaMemcpyKind, cudaStream_t stream)
{
    return emulatedSubmit(stream, [=] { std::memcpy(target, source, bytes); });
}

inline cudaError_t cudaStreamCreateWithFlags(cudaStream_t* stream, unsigned int)
{
    *stream = new CUstream_st;
    return emulatedFailure();
}
inline cudaError_t cudaStreamDestroy(cudaStream_t stream)
{
    delete stream;
    return cudaSuccess;
}
inline cudaError_t cudaStreamSynchronize(cudaStream_t stream)
{
    // A graph cannot hold a synchronisation of the host.
    return stream != nullptr && stream->capture != nullptr ? cudaErrorInvalidValue : emulatedFailure();
}
inline cudaError_t cudaStreamBeginCapture(cudaStream_t stream, cudaStreamCaptureMode)
{
    stream->capture = new EmulatedWork;
    return cudaSuccess;
}
inline cudaError_t cudaStreamEndCapture(cudaStream_t stream, cudaGraph_t* graph)
{
    *graph = stream->capture;
    stream->capture = nullptr;
    return cudaSuccess;
}
inline cudaError_t cudaGraphInstantiateWithFlags(
    cudaGraphExec_t* executable, cudaGraph_t graph, unsigned long long)
{
    *executable = new EmulatedWork(*graph);
    return cudaSuccess;
}
inline cudaError_t cudaGraphDestroy(cudaGraph_t graph)
{
    delete graph;
    return cudaSuccess;
}
inline cudaError_t cudaGraphExecDestroy(cudaGraphExec_t executable)
{
    delete executable;
    return cudaSuccess;
}
inline cudaError_t cudaGraphLaunch(cudaGraphExec_t executable, cudaStream_t)
{
    for (auto const& work : *executable)
    {
        work();
    }
    return emulatedFailure();
}

inline double emulatedSeconds()
{
    timespec now{};
    clock_gettime(CLOCK_MONOTONIC, &now);
    return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
}
inline cudaError_t cudaEventCreate(cudaEvent_t* event)
{
    *event = new CUevent_st;
    return cudaSuccess;
}
inline cudaError_t cudaEventDestroy(cudaEvent_t event)
{
    delete event;
    return cudaSuccess;
}
inline cudaError_t cudaEventRecord(cudaEvent_t event, cudaStream_t)
{
    event->seconds = emulatedSeconds();
    return cudaSuccess;
}
inline cudaError_t cudaEventSynchronize(cudaEvent_t)
{
    return cudaSuccess;
}
inline cudaError_t cudaEventElapsedTime(float* milliseconds, cudaEvent_t start, cudaEvent_t stop)
{
    *milliseconds = static_cast<float>(1e3 * (stop->seconds - start->seconds));
    return cudaSuccess;
}
