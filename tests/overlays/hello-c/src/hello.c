#include <stdio.h>
#include <unistd.h>

int main(void)
{
	char host[64];
	gethostname(host, sizeof(host));
	printf("hello from %s\n", host);
	return 0;
}
