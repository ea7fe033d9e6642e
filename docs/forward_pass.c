#include <math.h>
#include <string.h>
#include "model.h"

static double activated(double x) {
    switch (ACTIVATION) {
    case RELU: return fmax(x, 0);
    case LEAKY_RELU: return fmax(x, 0.01 * x);
    case ELU: return x > 0 ? x : expm1(x);
    case SELU: return 1.0507009873554805 * (x > 0 ? x : 1.6732632423543772 * expm1(x));
    case GELU: return 0.5 * x * (1 + erf(x * sqrt(0.5)));
    case SILU: return x * (0.5 * tanh(0.5 * x) + 0.5);
    case MISH: return x * tanh(fmax(x, 0) + log1p(exp(-fabs(x))));
    case TANH: return tanh(x);
    case LOGISTIC: return 0.5 * tanh(0.5 * x) + 0.5;
    default: return x;
    }
}

void predict_proba(const double *x, double *probabilities) {
    double a[WIDEST], z[WIDEST];
    const double *w = NUMBERS;  /* weights and bias of each layer of each member, in order */
    memset(probabilities, 0, N_CLASSES * sizeof *probabilities);
    for (int member = 0; member < N_MEMBERS; member++) {
        memcpy(a, x, WIDTHS[0] * sizeof *a);
        for (int layer = 0; layer < N_LAYERS; layer++) {
            int n_in = WIDTHS[layer], n_out = WIDTHS[layer + 1];
            memcpy(z, w + n_in * n_out, n_out * sizeof *z);
            for (int i = 0; i < n_in; i++)
                for (int j = 0; j < n_out; j++) z[j] += a[i] * *w++;
            w += n_out;
            for (int j = 0; j < n_out; j++) a[j] = layer < N_LAYERS - 1 ? activated(z[j]) : z[j];
        }
        double highest = a[0], sum = 0;
        for (int c = 1; c < N_CLASSES; c++) highest = fmax(highest, a[c]);
        for (int c = 0; c < N_CLASSES; c++) sum += a[c] = exp((a[c] - highest) / TEMPERATURE);
        for (int c = 0; c < N_CLASSES; c++) probabilities[c] += a[c] / sum / N_MEMBERS;
    }
}
