// 60 % of its work in shop::Cart::hot_b, 40 % in a template, shop::warm_b<8u>.
#include "life.h"

namespace shop {

template <unsigned Lanes> KEPT uint64_t warm_b(uint64_t seed)
{
	return work(seed, 2500 * Lanes);
}

class Cart {
public:
	KEPT uint64_t hot_b(uint64_t seed) const { return work(seed + items, 20000); }
	KEPT uint64_t checkout(uint64_t seed) const
	{
		for (int unit = 0; unit < 10; unit++)
			seed += unit < 6 ? hot_b(seed) : warm_b<8>(seed);
		return seed;
	}
	uint64_t items = 3;
};

} // namespace shop

int main(int argc, char **argv)
{
	live(argc, argv);
	ready(0);
	shop::Cart cart;
	for (uint64_t seed = 1;; seed++)
		seed = cart.checkout(seed);
}
