/* The lab's network, 2-3-3-1 without bias, sigmoid everywhere, ½ Σ (ŷ − y)²: what a C programmer would write.
 *
 * Weights are w1[2][3], w2[3][3], w3[3][1], one after another. Members of an ensemble run one after another, on one
 * core. losses is (members, epochs): the mean squared error, each sample's measured before its own batch's update. */
#include <math.h>
#include <string.h>

enum { IN = 2, HIDDEN = 3, WEIGHTS = IN * HIDDEN + HIDDEN * HIDDEN + HIDDEN };

static double sigmoid(double z) { return 1.0 / (1.0 + exp(-z)); }

/* Add the gradient of one sample to dw and return its squared error. */
static inline double backprop(const double *w, const double *x, double y, double *dw) {
    const double *w1 = w, *w2 = w1 + IN * HIDDEN, *w3 = w2 + HIDDEN * HIDDEN;
    double *dw1 = dw, *dw2 = dw1 + IN * HIDDEN, *dw3 = dw2 + HIDDEN * HIDDEN;
    double a1[HIDDEN], a2[HIDDEN], delta1[HIDDEN], delta2[HIDDEN], z3 = 0.0;
    for (int j = 0; j < HIDDEN; j++) {
        double z = 0.0;
        for (int i = 0; i < IN; i++) z += x[i] * w1[i * HIDDEN + j];
        a1[j] = sigmoid(z);
    }
    for (int j = 0; j < HIDDEN; j++) {
        double z = 0.0;
        for (int i = 0; i < HIDDEN; i++) z += a1[i] * w2[i * HIDDEN + j];
        a2[j] = sigmoid(z);
        z3 += a2[j] * w3[j];
    }
    double y_hat = sigmoid(z3), error = y_hat - y, delta3 = error * (y_hat * (1.0 - y_hat));
    for (int i = 0; i < HIDDEN; i++) {
        delta2[i] = delta3 * w3[i] * (a2[i] * (1.0 - a2[i]));
        dw3[i] += a2[i] * delta3;
    }
    for (int i = 0; i < HIDDEN; i++) {
        double sum = 0.0;
        for (int j = 0; j < HIDDEN; j++) {
            sum += delta2[j] * w2[i * HIDDEN + j];
            dw2[i * HIDDEN + j] += a1[i] * delta2[j];
        }
        delta1[i] = sum * (a1[i] * (1.0 - a1[i]));
    }
    for (int i = 0; i < IN; i++)
        for (int j = 0; j < HIDDEN; j++) dw1[i * HIDDEN + j] += x[i] * delta1[j];
    return error * error;
}

void train(double *weights, long members, const double *x, const double *y, long n, long batch, long epochs, double lr,
           double *losses) {
    for (long k = 0; k < members; k++) {
        double w[WEIGHTS], dw[WEIGHTS];
        memcpy(w, weights + k * WEIGHTS, sizeof w);
        for (long epoch = 0; epoch < epochs; epoch++) {
            double squares = 0.0;
            for (long begin = 0; begin < n; begin += batch) {
                long end = begin + batch < n ? begin + batch : n;
                memset(dw, 0, sizeof dw);
                for (long s = begin; s < end; s++) squares += backprop(w, x + s * IN, y[s], dw);
                for (int i = 0; i < WEIGHTS; i++) w[i] -= lr * dw[i];
            }
            losses[k * epochs + epoch] = squares / n;
        }
        memcpy(weights + k * WEIGHTS, w, sizeof w);
    }
}
