#include "aten.h"

#include <ATen/Context.h>
#include <ATen/core/Tensor.h>
#include <ATen/ops/_fused_sgd.h>
#include <ATen/ops/convolution_backward.h>
#include <ATen/ops/native_batch_norm_backward.h>
#include <c10/core/GradMode.h>

#include <cstdlib>
#include <cstring>
#include <vector>

namespace {

// Runs `work`, turning every exception into a message for the Rust side.
template <typename Work>
char *guarded(Work work) {
  try {
    c10::AutoGradMode no_grad(false);
    work();
    return nullptr;
  } catch (const std::exception &error) {
    return strdup(error.what());
  } catch (...) {
    return strdup("unknown C++ exception");
  }
}

const at::Tensor &tensor(void *handle) { return *static_cast<at::Tensor *>(handle); }

void *release(at::Tensor value) {
  return value.defined() ? new at::Tensor(std::move(value)) : nullptr;
}

std::vector<at::Tensor> tensors(void **handles, size_t count) {
  std::vector<at::Tensor> list;
  list.reserve(count);
  for (size_t i = 0; i < count; ++i) list.push_back(tensor(handles[i]));
  return list;
}

}  // namespace

char *datadiet_convolution_backward(void **out, void *grad_output, void *input, void *weight,
                                    int64_t stride, int64_t padding, int64_t groups,
                                    bool want_input, bool want_weight, bool want_bias) {
  return guarded([&] {
    const at::Tensor &w = tensor(weight);
    const int64_t spatial = w.dim() - 2;
    const std::vector<int64_t> strides(spatial, stride), paddings(spatial, padding),
        dilations(spatial, 1), no_output_padding(spatial, 0), bias_size{w.size(0)};
    auto [grad_input, grad_weight, grad_bias] = at::convolution_backward(
        tensor(grad_output), tensor(input), w, bias_size, strides, paddings, dilations,
        /*transposed=*/false, no_output_padding, groups, {want_input, want_weight, want_bias});
    out[0] = release(grad_input);
    out[1] = release(grad_weight);
    out[2] = release(grad_bias);
  });
}

char *datadiet_batch_norm_backward(void **out, void *grad_output, void *input, void *weight,
                                   void *saved_mean, void *saved_inv_std, double eps) {
  return guarded([&] {
    auto [grad_input, grad_weight, grad_bias] = at::native_batch_norm_backward(
        tensor(grad_output), tensor(input), tensor(weight), {}, {}, tensor(saved_mean),
        tensor(saved_inv_std), /*train=*/true, eps, {true, true, true});
    out[0] = release(grad_input);
    out[1] = release(grad_weight);
    out[2] = release(grad_bias);
  });
}

char *datadiet_fused_sgd(void **params, void **grads, void **momentum_buffers, size_t count,
                         double weight_decay, double momentum, double lr, bool nesterov) {
  return guarded([&] {
    at::_fused_sgd_(tensors(params, count), tensors(grads, count),
                    tensors(momentum_buffers, count), weight_decay, momentum, lr,
                    /*dampening=*/0.0, nesterov, /*maximize=*/false, /*is_first_step=*/false);
  });
}

char *datadiet_is_sole_owner(bool *out, void *handle) {
  return guarded([&] {
    const at::Tensor &x = tensor(handle);
    bool sole = x.use_count() == 1;
    size_t owners = 1;
    // A view keeps the tensor that it was taken of, with its storage, even after the caller has
    // dropped it. As long as only the view has it, nobody else gets to it.
    if (x.is_view()) {
      const at::TensorBase &base = x._base();
      sole = sole && base.use_count() == 1;
      owners = 2;
    }
    *out = sole && x.storage().use_count() == owners;
  });
}

char *datadiet_compute_reproducibly() {
  return guarded([] {
    at::Context &context = at::globalContext();
    // By default convolutions of 32-bit floats round their factors to 10 bits (TF32).
    context.setAllowTF32CuDNN(false);
    context.setAllowTF32CuBLAS(false);
    context.setDeterministicCuDNN(true);
  });
}

void datadiet_free_message(char *message) { free(message); }
