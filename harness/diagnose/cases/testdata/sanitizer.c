// Is compiled with AddressSanitizer, whose LeakSanitizer fails below a tracer.
int main(void) { return 0; }
