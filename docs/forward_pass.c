#include <math.h>
#include <string.h>
#include "model.h"
static double activated(int activation, double x) {
    double negative = expm1(fmin(x, 0)), sigmoid = 0.5 * tanh(0.5 * x) + 0.5;
    switch (activation) {
    case RELU: return x < 0 ? 0 : x;            case LEAKY_RELU: return x < 0 ? 0.01 * x : x;
    case ELU: return x < 0 ? negative : x;      case GELU: return 0.5 * x * erfc(-x * sqrt(0.5));
    case SELU: return 1.0507009873554805 * (x < 0 ? 1.6732632423543772 * negative : x);
    case SILU: return x * sigmoid;  case LOGISTIC: return sigmoid;  case TANH: return tanh(x);
    case MISH: return x * tanh(fmax(x, 0) + log1p(exp(-fabs(x))));  default: return x;
    }
}
void predict_proba(const double *x, double *p) {
    double a[WIDEST], z[WIDEST], sum = 0;
    const double *w = NUMBERS;  /* weights and bias of each layer of each member, in order */
    for (int member = 0; member < N_MEMBERS; member++) {
        memcpy(a, x, WIDTHS[0] * sizeof *a);
        for (int layer = 0; layer < N_LAYERS; layer++) {
            int n_in = WIDTHS[layer], n_out = WIDTHS[layer + 1];
            memcpy(z, w + n_in * n_out, n_out * sizeof *z);
            for (int k = 0; k < n_in * n_out; k++) z[k % n_out] += a[k / n_out] * *w++;
            for (int j = 0; j < n_out; j++, w++) a[j] = activated(ACTIVATIONS[layer], z[j]);
        }
        double highest = a[0];
        for (int c = 1; c < N_CLASSES; c++) highest = fmax(highest, a[c]);
        sum = 0;
        for (int c = 0; c < N_CLASSES; c++) sum += a[c] = exp((a[c] - highest) / TEMPERATURE);
        for (int c = 0; c < N_CLASSES; c++) p[c] = (member ? p[c] : 0) + a[c] / sum / N_MEMBERS;
    }
    sum = 0;
    for (int c = 0; c < N_CLASSES; c++) sum += p[c] *= PRIOR_RATIO[c];
    for (int c = 0; c < N_CLASSES; c++) p[c] /= sum;
}
