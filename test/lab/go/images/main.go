// Program images prints the names under which Kubernetes' own tests look for the images that the lab can make.
package main

import (
	"fmt"

	"k8s.io/kubernetes/test/utils/image"
)

func main() {
	for _, id := range []image.ImageID{image.Agnhost, image.BusyBox, image.GlibcDnsTesting, image.Pause} {
		fmt.Println(image.GetE2EImage(id))
	}
}
