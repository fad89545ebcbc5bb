// The training loop of fused.cpp, and its parts one by one, for benchmarks/kernel.py.
#include FUSED

extern "C" {

// The parts of a step, in the order of the names in kernel.py.
enum Part { DrawUniforms, MakeFeatures, HiddenUnits, OutputSlope, HiddenSlope, WeightGradient, BiasGradient, WholeGradient };

// Takes one part of the step of the first instance, `times` times, on the first tile of a batch.
void repeat(int part, int times, const Data* data, const float* empty, const float* l1, const float* parameters,
            float* gradients, int batch) {
    Tile* tile = new Tile();
    Columns* columns = new Columns[SPARSE ? 1 : 0]();
    float* shifts = new float[ATTACKED ? n * n : 0]();
    Data d = instance(*data, shifts, l1, 0);
    d.empty = empty[0];
    const float* p = parameters;
    float* g = gradients;
    draw(*tile, 0, 0, TRAINING, 0, 0);
    features(*tile, d);
    hidden(*tile, p);
    output_slope(*tile, d, p, 0, batch);
    hidden_slope(*tile, p);
    for (int k = 0; k < times; ++k) {
        asm volatile("" ::: "memory");
        if (part == DrawUniforms) draw(*tile, 0, k, TRAINING, 0, 0);
        if (part == MakeFeatures) features(*tile, d);
        if (part == HiddenUnits) hidden(*tile, p);
        if (part == OutputSlope) output_slope(*tile, d, p, 0, batch);
        if (part == HiddenSlope) hidden_slope(*tile, p);
        if (part == WeightGradient) {
            if constexpr (UNTIED) {
                outer<false>(tile->h, tile->dz, tile->h, tile->dz, g + W_OUT);
                outer<false>(tile->dh, input(*tile), tile->h, tile->dz, g + W_IN);
            } else {
                outer<true>(tile->h, tile->dz, tile->dh, input(*tile), g + W_IN);
            }
        }
        if (part == BiasGradient) add_row_sums<n>(tile->dz, g + BIAS);
        if (part == WholeGradient) {
            if constexpr (SMALL)
                gradient_of_small(*tile, d, p, g, 0, batch);
            else
                gradient(*tile, d, p, g, columns, 0, batch);
        }
    }
    delete[] shifts;
    delete[] columns;
    delete tile;
}
}
