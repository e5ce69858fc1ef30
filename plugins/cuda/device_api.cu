//! See device_api.h.
#include "device_api.h"

#include <cuda_runtime.h>

#include <cstdio>

namespace
{

int32_t code(cudaError_t error)
{
    return static_cast<int32_t>(error);
}

cudaStream_t asStream(void* stream)
{
    return static_cast<cudaStream_t>(stream);
}

//! A pair of events that is destroyed on every way out.
class Timer
{
public:
    Timer()
    {
        mError = cudaEventCreate(&mStart);
        mError = mError != cudaSuccess ? mError : cudaEventCreate(&mStop);
    }
    Timer(Timer const&) = delete;
    Timer& operator=(Timer const&) = delete;
    ~Timer()
    {
        if (mStart != nullptr)
        {
            cudaEventDestroy(mStart);
        }
        if (mStop != nullptr)
        {
            cudaEventDestroy(mStop);
        }
    }
    cudaError_t error() const
    {
        return mError;
    }
    cudaError_t start(cudaStream_t stream)
    {
        return cudaEventRecord(mStart, stream);
    }
    cudaError_t stop(cudaStream_t stream, float* milliseconds)
    {
        cudaError_t error = cudaEventRecord(mStop, stream);
        error = error != cudaSuccess ? error : cudaEventSynchronize(mStop);
        return error != cudaSuccess ? error : cudaEventElapsedTime(milliseconds, mStart, mStop);
    }

private:
    cudaEvent_t mStart{};
    cudaEvent_t mStop{};
    cudaError_t mError{cudaSuccess};
};

} // namespace

int32_t spikehaltDeviceCount(int32_t* count)
{
    return code(cudaGetDeviceCount(count));
}

int32_t spikehaltDeviceName(char* name, int32_t length, int32_t* major, int32_t* minor)
{
    int32_t device = 0;
    cudaDeviceProp properties{};
    cudaError_t error = cudaGetDevice(&device);
    error = error != cudaSuccess ? error : cudaGetDeviceProperties(&properties, device);
    if (error == cudaSuccess)
    {
        std::snprintf(name, static_cast<size_t>(length), "%s", properties.name);
        *major = properties.major;
        *minor = properties.minor;
    }
    return code(error);
}

int32_t spikehaltAllocate(void** memory, size_t bytes)
{
    return code(cudaMalloc(memory, bytes));
}

int32_t spikehaltFree(void* memory)
{
    return code(cudaFree(memory));
}

int32_t spikehaltUpload(void* device, void const* host, size_t bytes)
{
    return code(cudaMemcpy(device, host, bytes, cudaMemcpyHostToDevice));
}

int32_t spikehaltDownload(void* host, void const* device, size_t bytes)
{
    return code(cudaMemcpy(host, device, bytes, cudaMemcpyDeviceToHost));
}

int32_t spikehaltCopy(void* target, void const* source, size_t bytes, void* stream)
{
    return code(cudaMemcpyAsync(target, source, bytes, cudaMemcpyDeviceToDevice, asStream(stream)));
}

int32_t spikehaltStreamCreate(void** stream)
{
    cudaStream_t created{};
    cudaError_t const error = cudaStreamCreateWithFlags(&created, cudaStreamNonBlocking);
    *stream = created;
    return code(error);
}

int32_t spikehaltStreamDestroy(void* stream)
{
    return code(cudaStreamDestroy(asStream(stream)));
}

int32_t spikehaltStreamSynchronize(void* stream)
{
    return code(cudaStreamSynchronize(asStream(stream)));
}

int32_t spikehaltCaptureBegin(void* stream)
{
    return code(cudaStreamBeginCapture(asStream(stream), cudaStreamCaptureModeThreadLocal));
}

int32_t spikehaltCaptureEnd(void* stream, void** graph)
{
    cudaGraph_t captured{};
    cudaGraphExec_t executable{};
    cudaError_t error = cudaStreamEndCapture(asStream(stream), &captured);
    if (error == cudaSuccess)
    {
        error = cudaGraphInstantiateWithFlags(&executable, captured, 0);
        cudaGraphDestroy(captured);
    }
    *graph = executable;
    return code(error);
}

int32_t spikehaltGraphTime(void* graph, void* stream, int32_t runs, float* milliseconds)
{
    Timer timer;
    auto* const executable = static_cast<cudaGraphExec_t>(graph);
    cudaError_t error = timer.error();
    error = error != cudaSuccess ? error : cudaGraphLaunch(executable, asStream(stream));
    error = error != cudaSuccess ? error : timer.start(asStream(stream));
    for (int32_t run = 0; run < runs && error == cudaSuccess; ++run)
    {
        error = cudaGraphLaunch(executable, asStream(stream));
    }
    return code(error != cudaSuccess ? error : timer.stop(asStream(stream), milliseconds));
}

int32_t spikehaltGraphDestroy(void* graph)
{
    return code(cudaGraphExecDestroy(static_cast<cudaGraphExec_t>(graph)));
}
