// The little of ATen that the `tch` bindings leave out: backward passes, one fused optimiser step, who
// shares a storage, and how GPUs compute. Errors come back as a malloc'ed message (null when all went well).
#pragma once
#include <cstddef>
#include <cstdint>

extern "C" {
char *datadiet_convolution_backward(void **out, void *grad_output, void *input, void *weight,
                                    int64_t stride, int64_t padding, int64_t groups,
                                    bool want_input, bool want_weight, bool want_bias);
char *datadiet_batch_norm_backward(void **out, void *grad_output, void *input, void *weight,
                                   void *saved_mean, void *saved_inv_std, double eps);
char *datadiet_fused_sgd(void **params, void **grads, void **momentum_buffers, size_t count,
                         double weight_decay, double momentum, double lr, bool nesterov);
// Whether no other tensor has the storage of this one.
char *datadiet_is_sole_owner(bool *out, void *handle);
// On GPUs: 32-bit floats are multiplied as such, and convolutions add up in the same order each time.
char *datadiet_compute_reproducibly();
void datadiet_free_message(char *message);
}
