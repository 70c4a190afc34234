// Starts one job after the other, as many as its argument says, and waits for each.
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

int main(int count, char **words) {
	for (int i = 0; i < atoi(words[1]); i++) {
		pid_t job = fork();
		if (job == 0) _exit(0);
		if (job < 0) { printf("job %d: %s\n", i, strerror(errno)); return 6; }
		waitpid(job, 0, 0);
	}
	return 0;
}
