// Makes threads until one is refused, and goes on.
#include <pthread.h>
#include <stdio.h>
#include <unistd.h>

static void *wait_for_ever(void *p) { pause(); return p; }

int main(void) {
	pthread_t t;
	while (!pthread_create(&t, 0, wait_for_ever, 0)) ;
	puts("up");
	fflush(stdout);
	pause();
	return 0;
}
